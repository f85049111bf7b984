//! The thread that carries events to the harness, and sees to it that a stop comes to an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

use super::shared::Shared;
use crate::{Event, Stop};

/// How late an unfinished line may come to the harness.
const TICK: Duration = Duration::from_millis(20);

/// How often to look whether the harness has room for events again.
const BACKLOG_TICK: Duration = Duration::from_millis(1);

/// How long a processor may take to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// The life of the supervisor's thread. `abandoned` tells it that nobody waits for events any more.
pub(crate) fn supervise(shared: &Shared, sender: &SyncSender<Event>, abandoned: &Arc<AtomicBool>) {
    if let Err(error) = shared.jail.enter() {
        shared.stop(Stop::Internal(error.to_string()));
    }
    loop {
        // First, so that nothing comes between the last look for events and the end.
        let outcome = shared.control.outcome(STOP_PATIENCE);
        shared.devices.drain();
        let patience = if outcome.is_some() { Duration::ZERO } else { TICK };
        let events = shared.outbox.take(patience);
        let mut all = events.into_iter().chain(outcome.clone().map(Event::Stopped));
        let gone = !all.all(|event| carry(event, sender, abandoned));
        if gone || outcome.is_some() {
            // A processor that is stuck, or one that goes on without anybody listening, must not
            // fill the host's memory.
            shared.outbox.close();
        }
        if outcome.is_some() {
            return;
        }
    }
}

/// Carries one event on; tells whether there is still somebody who takes it.
fn carry(event: Event, sender: &SyncSender<Event>, abandoned: &AtomicBool) -> bool {
    let mut event = event;
    loop {
        match sender.try_send(event) {
            Ok(()) => return true,
            Err(TrySendError::Disconnected(_)) => return false,
            Err(TrySendError::Full(_)) if abandoned.load(Ordering::Relaxed) => return false,
            Err(TrySendError::Full(back)) => {
                event = back;
                thread::sleep(BACKLOG_TICK);
            }
        }
    }
}
