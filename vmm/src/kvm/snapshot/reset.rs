//! Puts a copy back to where it started: only what changed is written.

use std::io;

use super::error::SnapshotError;
use super::fork::{Origin, Start, put, unfit};
use super::save::processors;
use crate::kvm::error::KvmError;
use crate::kvm::machine::KvmMachine;
use crate::kvm::memory::MemoryError;
use crate::kvm::pages::PageSet;
use crate::kvm::vcpu::Processor;
use crate::kvm::vm;

impl KvmMachine {
    /// Puts a paused machine that [`fork_to_reset`](super::fork_to_reset) made back to where it started; it
    /// stays paused. What its guest said before is told still. Gives the bytes of RAM that were written back.
    ///
    /// # Errors
    /// When it is not such a machine, is not paused, or the host refuses. It must not run on then.
    pub fn reset(&mut self) -> Result<u64, KvmError> {
        let guards = processors(self)?;
        let processors: Vec<&Processor> = guards.iter().map(|guard| &**guard).collect();
        let start = self.start()?;
        let written = self.put_back(start)?;
        put(&self.vm, &processors, &start.state)?;
        self.shared.devices.restore(&start.state.devices).map_err(unfit)?;
        Ok(written)
    }

    /// The same, and compares all of RAM then: for tests of the machine. It takes as long as reading RAM twice.
    ///
    /// # Errors
    /// As those of [`KvmMachine::reset`], and when a byte differs.
    pub fn reset_and_compare(&mut self) -> Result<u64, KvmError> {
        let written = self.reset()?;
        let memory = &self.start()?.memory;
        match self.shared.memory.ram().difference(memory).map_err(MemoryError::from)? {
            None => Ok(written),
            Some(offset) => Err(SnapshotError::Difference { offset }.into()),
        }
    }

    fn start(&self) -> Result<&Start, KvmError> {
        match &self.origin {
            Origin::Noted(start) => Ok(start),
            Origin::Booted { .. } | Origin::Copied { .. } => {
                let source = io::Error::other("it was not made for that (`fork_to_reset`)");
                Err(KvmError::Host { what: "put back the machine", source })
            }
        }
    }

    fn put_back(&self, start: &Start) -> Result<u64, KvmError> {
        let ram = self.shared.memory.ram();
        let pieces = self.changed_pages()?.pieces();
        for (offset, length) in &pieces {
            let length = usize::try_from(*length).unwrap_or(usize::MAX);
            ram.put_back(&start.memory, *offset, length).map_err(MemoryError::from)?;
        }
        Ok(pieces.iter().map(|(_, length)| length).sum())
    }

    /// The pages that changed: those that the guest wrote, and those that the devices and the harness did.
    fn changed_pages(&self) -> Result<PageSet, KvmError> {
        let mut pages = vm::written_pages(&self.vm, &self.shared.memory)?;
        if let Some(written) = self.shared.memory.ram().written() {
            pages.add(0, &written.get_and_reset());
        }
        Ok(pages)
    }
}
