//! What the threads of a machine share.

use std::sync::Arc;

use super::devices::Devices;
use super::gdb::Stops;
use super::jail::Jail;
use super::memory::GuestMemory;
use super::outbox::Outbox;
use super::vcpu::{Control, Counters, FirstRun};
use crate::Stop;

/// What the threads of a machine share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) control: Control,
    pub(crate) devices: Devices,
    pub(crate) memory: GuestMemory,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) counters: Counters,
    pub(crate) first_run: FirstRun,
    pub(crate) jail: Jail,
    pub(crate) debug_stops: Stops,
}

impl Shared {
    /// Orders the machine to stop, and makes sure that no processor waits for the harness.
    pub(crate) fn stop(&self, why: Stop) {
        self.control.stop(why);
        self.outbox.hurry(true);
    }

    /// Orders a pause, likewise.
    pub(crate) fn pause(&self) {
        self.control.pause();
        self.outbox.hurry(true);
    }

    /// Ends a pause.
    pub(crate) fn resume(&self) {
        self.resume_if(|_| true);
    }

    /// Ends a pause for the processors that are `wanted`; the others stay where they are.
    pub(crate) fn resume_if(&self, wanted: impl Fn(usize) -> bool) {
        if !self.control.is_stopping() {
            self.outbox.hurry(false);
        }
        self.control.resume_if(wanted);
    }
}
