//! The life of a processor's thread.

use std::sync::{Arc, Mutex, PoisonError};

use super::kick::Seat;
use super::processor::{Processor, Turn};
use crate::Stop;
use crate::kvm::shared::Shared;

/// Runs `processor` until the machine stops.
pub(crate) fn live(processor: &Arc<Mutex<Processor>>, shared: &Shared) {
    let (cpu, flag) = {
        let mut processor = processor.lock().unwrap_or_else(PoisonError::into_inner);
        (usize::from(processor.number()), processor.immediate_exit())
    };
    // SAFETY: the processor, and with it the page that holds the flag, outlives this function.
    match unsafe { Seat::take(flag) } {
        Ok(seat) => {
            while shared.control.ask_to_run(cpu, seat.thread()) {
                run(processor, shared);
            }
        }
        Err(error) => shared.stop(Stop::Internal(format!("vCPU {cpu} cannot be kicked: {error}"))),
    }
    if shared.control.end(cpu) {
        shared.outbox.wake();
    }
}

/// Runs it until it is to pause or stop. Meanwhile nobody else can have it.
fn run(processor: &Mutex<Processor>, shared: &Shared) {
    let mut processor = processor.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        // In this order, or a kick could be lost between the two.
        processor.clear_kick();
        if !shared.control.may_run() {
            return;
        }
        if let Turn::Stop(why) = processor.turn(&shared.devices, &shared.memory, &shared.counters) {
            shared.stop(why);
        }
    }
}
