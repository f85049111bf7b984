//! Letting the guest run on as gdb orders.

use std::collections::BTreeSet;
use std::io;

use gdbstub::common::{Signal, Tid};
use gdbstub::target::ext::base::multithread::{
    MultiThreadResume, MultiThreadSchedulerLocking, MultiThreadSchedulerLockingOps,
    MultiThreadSingleStep, MultiThreadSingleStepOps,
};

use super::breakpoints::Going;
use super::guest::Guest;
use super::stops::DebugExit;

/// What gdb ordered for the next run.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Processors that are to make one step.
    pub(super) steps: BTreeSet<usize>,
    /// Processors that gdb named.
    named: BTreeSet<usize>,
    /// Whether the others are to stay where they are.
    locked: bool,
}

impl Guest {
    /// Runs on. `own` is a processor that gets an exception of its own, and which.
    pub(super) fn go(&mut self, own: Option<DebugExit>) -> io::Result<()> {
        for cpu in 0..self.processors.len() {
            let inject = own.filter(|exit| exit.cpu == cpu).map(|exit| exit.exception);
            let going = Going { step: self.orders.steps.contains(&cpu), inject };
            self.processor(cpu).debug(self.breakpoints.settings(going))?;
        }
        // A stop from before the pause was not told: it happens again.
        self.shared.debug_stops.take();
        let locked = self.orders.locked;
        let only = self.orders.named.clone();
        self.shared.resume_if(|cpu| !locked || only.contains(&cpu));
        Ok(())
    }

    /// Runs on without a debugger.
    pub(super) fn release(&mut self) {
        self.forget();
        self.orders = Orders::default();
        for cpu in 0..self.processors.len() {
            // A processor that cannot be set free stops at nothing any more.
            let _ = self.processor(cpu).debug(kvm_bindings::kvm_guest_debug::default());
        }
        self.shared.resume();
    }

    fn order(&mut self, tid: Tid) -> usize {
        let cpu = tid.get() - 1;
        self.orders.named.insert(cpu);
        cpu
    }
}

impl MultiThreadResume for Guest {
    fn resume(&mut self) -> io::Result<()> {
        self.go(None)
    }

    fn clear_resume_actions(&mut self) -> io::Result<()> {
        self.orders = Orders::default();
        Ok(())
    }

    fn set_resume_action_continue(&mut self, tid: Tid, _: Option<Signal>) -> io::Result<()> {
        self.order(tid);
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<MultiThreadSingleStepOps<'_, Self>> {
        Some(self)
    }

    fn support_scheduler_locking(&mut self) -> Option<MultiThreadSchedulerLockingOps<'_, Self>> {
        Some(self)
    }
}

impl MultiThreadSingleStep for Guest {
    fn set_resume_action_step(&mut self, tid: Tid, _: Option<Signal>) -> io::Result<()> {
        let cpu = self.order(tid);
        self.orders.steps.insert(cpu);
        Ok(())
    }
}

impl MultiThreadSchedulerLocking for Guest {
    fn set_resume_action_scheduler_lock(&mut self) -> io::Result<()> {
        self.orders.locked = true;
        Ok(())
    }
}
