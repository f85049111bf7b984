//! Saves a machine that is paused.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{MutexGuard, PoisonError};

use rustix::fs::{MemfdFlags, memfd_create};

use super::file;
use super::state::State;
use crate::Saved;
use crate::kvm::device;
use crate::kvm::error::KvmError;
use crate::kvm::machine::KvmMachine;
use crate::kvm::memory::MemoryError;
use crate::kvm::vcpu::Processor;

/// Saves `machine`, which must be paused, and must not run on: its RAM is the copies' from now on.
pub(crate) fn save(machine: &KvmMachine) -> Result<Saved, KvmError> {
    let guards = processors(machine)?;
    let processors: Vec<&Processor> = guards.iter().map(|guard| &**guard).collect();
    let kvm = device::open(Path::new("/dev/kvm"))?;
    // Devices may still write to RAM before they are asked what they hold, so RAM comes after them.
    let state = State::of(&kvm, machine, &processors)?;
    let memory = machine.shared.memory.ram().to_file().map_err(MemoryError::from)?;
    let name = memfd_create("kharness-state", MemfdFlags::CLOEXEC).map_err(|errno| {
        KvmError::Host { what: "get a file for the state", source: errno.into() }
    })?;
    let saved = Saved { memory, state: File::from(name) };
    file::write(&state, &saved.state)?;
    Ok(saved)
}

/// The processors of a machine that is paused; while it runs, their threads have them.
pub(super) fn processors(machine: &KvmMachine) -> Result<Vec<MutexGuard<'_, Processor>>, KvmError> {
    if !machine.shared.control.is_paused() {
        let source = io::Error::other("it is not paused");
        return Err(KvmError::Host { what: "save or put back the machine", source });
    }
    Ok(machine
        .processors
        .iter()
        .map(|processor| processor.lock().unwrap_or_else(PoisonError::into_inner))
        .collect())
}
