//! Closes machines where nobody waits for it.
//!
//! When the last handle on a machine with interrupt controllers goes, Linux waits for several grace periods, which are
//! milliseconds each on a host under load.

use std::any::Any;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Machines that may wait to be closed; who drops one more waits too, or they would use up the host.
const BACKLOG: usize = 8;

type Remains = Box<dyn Any + Send>;

/// Drops what is left of a machine, soon.
pub(super) fn close(remains: Remains) {
    static CLOSER: OnceLock<Option<SyncSender<Remains>>> = OnceLock::new();
    let closer = CLOSER.get_or_init(start);
    // Without a thread for it, it is dropped here: what is not sent comes back in the error.
    drop(closer.as_ref().map(|closer| closer.send(remains)));
}

fn start() -> Option<SyncSender<Remains>> {
    let (sender, receiver) = sync_channel(BACKLOG);
    let body = move || close_all(&receiver);
    thread::Builder::new().name("closer".into()).spawn(body).ok().map(|_| sender)
}

fn close_all(receiver: &Receiver<Remains>) {
    receiver.iter().for_each(drop);
}
