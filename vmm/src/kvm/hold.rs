//! Holds single processors of a running machine.

use std::io;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use super::shared::Shared;
use crate::HoldCpus;

/// How long a processor may take to leave the guest.
const PATIENCE: Duration = Duration::from_secs(5);

/// Orders single processors out of the guest, as a pause orders all of them.
pub(super) struct Holder(pub(super) Arc<Shared>);

impl HoldCpus for Holder {
    fn cpus(&self) -> usize {
        self.0.control.cpus()
    }

    fn hold(&mut self, cpu: usize, time: Duration) -> io::Result<()> {
        self.0.control.suspend(cpu, PATIENCE)?;
        sleep(time);
        self.0.control.release(cpu);
        Ok(())
    }
}
