//! A new machine that goes on where a saved one was.

use std::path::Path;
use std::sync::mpsc::Receiver;

use kvm_ioctls::{Kvm, VmFd};

use super::error::SnapshotError;
use super::file;
use super::state::State;
use crate::kvm::arch::cpuid::{self, Place};
use crate::kvm::device;
use crate::kvm::devices::Unfit;
use crate::kvm::error::KvmError;
use crate::kvm::machine::{KvmMachine, check_cpus, share, start, supported_cpuid};
use crate::kvm::memory::{GuestMemory, MemoryError};
use crate::kvm::vcpu::{FirstRun, Processor, host_counter};
use crate::kvm::vm::{self, Bare};
use crate::ram::{Mapping, Original};
use crate::{Config, Event, Saved};

/// Where a machine comes from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// It booted, a kernel with this build ID, or one that shows none.
    Booted { kernel: Option<String> },
    /// It is a copy of a machine with such a kernel.
    Copied { kernel: Option<String> },
    /// It is a copy that can be put back to this.
    Noted(Box<Start>),
}

/// What a copy can be put back to.
#[derive(Debug)]
pub(crate) struct Start {
    pub(super) state: State,
    pub(super) memory: Original,
}

impl Origin {
    /// The build ID of the kernel, where it shows one.
    pub(super) fn kernel(&self) -> Option<&String> {
        match self {
            Self::Booted { kernel } | Self::Copied { kernel } => kernel.as_ref(),
            Self::Noted(start) => start.state.kernel.as_ref(),
        }
    }
}

/// Starts a copy of the machine in `saved`, which was booted from `config`. Its changes to RAM are its own.
///
/// # Errors
/// Any [`KvmError`]; nothing of a failed start is left running.
pub fn fork(config: &Config, saved: &Saved) -> Result<(KvmMachine, Receiver<Event>), KvmError> {
    go_on(config, saved, false)
}

/// The same, with a copy that can be put back ([`KvmMachine::reset`]): KVM notes which pages it writes.
///
/// # Errors
/// As those of [`fork`].
pub fn fork_to_reset(
    config: &Config,
    saved: &Saved,
) -> Result<(KvmMachine, Receiver<Event>), KvmError> {
    go_on(config, saved, true)
}

fn go_on(
    config: &Config,
    saved: &Saved,
    again: bool,
) -> Result<(KvmMachine, Receiver<Event>), KvmError> {
    let first_run = FirstRun::begin();
    let kvm = device::open(Path::new("/dev/kvm"))?;
    let state = file::read(&saved.state)?;
    let cpus = check_cpus(&kvm, state.cpus())?;
    state.check(config)?;
    let memory = GuestMemory::copy_of(&saved.memory, config.memory, again)?;
    let Bare { vm, page } = vm::create(&kvm, &memory, again)?;
    let processors = create_processors(&kvm, &vm, cpus, &state)?;
    let shared = share(&vm, &processors, memory, page, Vec::new(), first_run)?;
    put(&vm, &processors.iter().collect::<Vec<_>>(), &state)?;
    shared.devices.restore(&state.devices).map_err(unfit)?;
    if config.paused {
        shared.pause();
    }
    let origin = if again {
        let memory = Mapping::of(&saved.memory, config.memory).map_err(MemoryError::from)?;
        Origin::Noted(Box::new(Start { state, memory }))
    } else {
        Origin::Copied { kernel: state.kernel }
    };
    start(vm, processors, shared, origin)
}

fn create_processors(
    kvm: &Kvm,
    vm: &VmFd,
    cpus: u8,
    state: &State,
) -> Result<Vec<Processor>, KvmError> {
    let processors = (0..cpus)
        .map(|cpu| Processor::create(vm, Place { cpu, cpus }))
        .collect::<Result<Vec<_>, _>>()?;
    // What a processor has here is not just what KVM says that it supports.
    let first = &processors[0];
    first.set_cpuid(&cpuid::of_processor(supported_cpuid(kvm)?, Place { cpu: 0, cpus }))?;
    state.check_processor(&first.cpuid()?, first.clock_khz()?)?;
    for (processor, saved) in processors.iter().zip(&state.processors) {
        processor.set_saved_cpuid(saved)?;
    }
    Ok(processors)
}

/// Puts into processors and interrupt controllers what they held. Devices come after: they interrupt.
pub(super) fn put(vm: &VmFd, processors: &[&Processor], state: &State) -> Result<(), KvmError> {
    for (processor, saved) in processors.iter().zip(&state.processors) {
        processor.restore(saved)?;
    }
    vm::restore_chips(vm, &state.vm)?;
    // Time comes last, the same moment for all of them, and goes on from what it was.
    let now = host_counter();
    for (processor, saved) in processors.iter().zip(&state.processors) {
        processor.set_time(saved, now)?;
    }
    vm::set_clock(vm, &state.vm)
}

pub(super) fn unfit(reason: Unfit) -> SnapshotError {
    SnapshotError::Foreign(reason.to_string())
}
