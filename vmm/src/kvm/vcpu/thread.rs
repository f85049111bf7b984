//! The life of a processor's thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::kick::Seat;
use super::processor::{Processor, Turn};
use crate::Stop;
use crate::kvm::shared::Shared;

/// Runs `processor` until the machine stops.
pub(crate) fn live(processor: &Arc<Mutex<Processor>>, shared: &Shared) {
    let attendance = Attendance { cpu: lock(processor).number(), shared };
    match attend(processor, shared) {
        Ok(()) => {}
        Err(words) => shared.stop(Stop::Internal(format!("vCPU {}: {words}", attendance.cpu))),
    }
}

/// Sees to it that the machine learns of the end of the thread, however it ends.
struct Attendance<'a> {
    cpu: u8,
    shared: &'a Shared,
}

impl Drop for Attendance<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let words = format!("vCPU {}: its thread panicked; see standard error", self.cpu);
            self.shared.stop(Stop::Internal(words));
        }
        if self.shared.control.end(self.cpu.into()) {
            self.shared.outbox.wake();
        }
    }
}

fn attend(processor: &Mutex<Processor>, shared: &Shared) -> Result<(), String> {
    let (cpu, flag) = {
        let mut processor = lock(processor);
        (usize::from(processor.number()), processor.immediate_exit())
    };
    // SAFETY: the caller holds the processor, and with it the page that holds the flag, for longer
    // than this function takes.
    let seat = unsafe { Seat::take(flag) }.map_err(|error| format!("cannot be kicked: {error}"))?;
    shared.jail.enter().map_err(|error| error.to_string())?;
    while shared.control.ask_to_run(cpu, seat.thread()) {
        run(&mut lock(processor), shared);
    }
    Ok(())
}

/// Runs it until it is to pause or stop. Meanwhile nobody else can have it.
fn run(processor: &mut Processor, shared: &Shared) {
    shared.first_run.note();
    loop {
        // In this order, or a kick could be lost between the two.
        processor.clear_kick();
        if !shared.control.may_run(processor.number().into()) {
            return finish(processor, shared);
        }
        turn(processor, shared);
    }
}

/// Brings to an end what the guest came out for last: until KVM is entered once more, its registers are those
/// before that instruction, and whoever saved them would have it done twice.
///
/// Source: Linux `Documentation/virt/kvm/api.rst`, section 5, `KVM_EXIT_IO`.
fn finish(processor: &mut Processor, shared: &Shared) {
    while !shared.control.is_stopping() {
        processor.stay_out();
        if turn(processor, shared) {
            return;
        }
    }
}

/// One turn in the guest; tells whether it ended with nothing half done.
fn turn(processor: &mut Processor, shared: &Shared) -> bool {
    match processor.turn(&shared.devices, &shared.memory, &shared.counters) {
        Turn::Over => return false,
        Turn::Interrupted => {}
        Turn::Debug(exit) => {
            // Told before the pause, so that whoever waits for the stop finds it.
            shared.debug_stops.note(processor.number().into(), &exit);
            shared.pause();
        }
        Turn::Stop(why) => shared.stop(why),
    }
    true
}

fn lock(processor: &Mutex<Processor>) -> MutexGuard<'_, Processor> {
    processor.lock().unwrap_or_else(PoisonError::into_inner)
}
