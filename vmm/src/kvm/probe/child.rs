//! Runs the tiny guest in a child process, with a watchdog.
//!
//! `KVM_RUN` may never return on a host without hardware virtualisation, and a thread that is stuck
//! in it cannot be ended alone; a process can. The child tells what it sees through a pipe, in
//! messages of two bytes, and is killed and reaped in every case.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use kvm_bindings::{CpuId, KVM_MAX_CPUID_ENTRIES, kvm_userspace_memory_region};
use kvm_ioctls::{Kvm, VcpuExit, VcpuFd, VmFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use super::fork::Child;
use super::guest::{self, Stage};
use super::message::{End, Exit, Message, Step};
use crate::kvm::arch::layout::TSS_ADDRESS;
use crate::{GuestRam, RamError};

/// Why the guest could not be tried.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChildError {
    #[error(transparent)]
    Ram(#[from] RamError),
    #[error("cannot ask KVM for the CPUID it supports: {0}")]
    Cpuid(io::Error),
    #[error("cannot start a process for the KVM probe: {0}")]
    Start(io::Error),
}

/// What became of the guest.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The last stage that it reached.
    pub(super) reached: Option<Stage>,
    /// How it ended.
    pub(super) end: End,
}

/// Runs the guest for at most `patience`, or a little longer when its process is slow to die.
pub(super) fn run(kvm: &Kvm, patience: Duration) -> Result<Outcome, ChildError> {
    // All that allocates is done here: the child is a fork of a process with threads.
    let ram = guest::load()?;
    let cpuid = kvm
        .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
        .map_err(|error| ChildError::Cpuid(error.into()))?;
    let (from_child, to_parent) =
        pipe_with(PipeFlags::CLOEXEC).map_err(|errno| ChildError::Start(errno.into()))?;
    let child = Child::start(|| serve(kvm, &ram, &cpuid, &to_parent)).map_err(ChildError::Start)?;
    drop(to_parent);
    let outcome = listen(&from_child, Instant::now() + patience);
    drop(child);
    Ok(outcome)
}

/// Follows the child's words until it has said the last one or `deadline` has passed.
fn listen(from_child: &OwnedFd, deadline: Instant) -> Outcome {
    let mut reached = None;
    loop {
        let end = match next_message(from_child, deadline) {
            Ok(Message::Reached(Stage::TookInterrupt)) => {
                reached = Some(Stage::TookInterrupt);
                End::Finished
            }
            Ok(Message::Reached(stage)) => {
                reached = Some(stage);
                continue;
            }
            Ok(Message::Ended(end)) | Err(end) => end,
        };
        return Outcome { reached, end };
    }
}

fn next_message(from_child: &OwnedFd, deadline: Instant) -> Result<Message, End> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(|_| End::TimedOut)?;
        match poll(&mut [PollFd::new(from_child, PollFlags::IN)], Some(&timeout)) {
            Err(Errno::INTR) => {}
            Ok(0) => return Err(End::TimedOut),
            Err(_) => return Err(End::Died),
            Ok(_) => return read_message(from_child).ok_or(End::Died),
        }
    }
}

fn read_message(from_child: &OwnedFd) -> Option<Message> {
    let mut bytes = [0; 2];
    match rustix::io::read(from_child, &mut bytes) {
        Ok(2) => Message::decode(bytes),
        _ => None,
    }
}

/// The body of the child. Must not allocate, take locks or panic: it runs in a fork.
fn serve(kvm: &Kvm, ram: &GuestRam, cpuid: &CpuId, to_parent: &OwnedFd) {
    let tell = |message: Message| {
        // A parent that is gone has no use for the words.
        let _ = rustix::io::write(to_parent, &message.encode());
    };
    let end = match drive(kvm, ram, cpuid, |stage| tell(Message::Reached(stage))) {
        Ok(exit) => End::Exited(exit),
        Err((step, error)) => End::Refused(step, Errno::from_raw_os_error(error.errno())),
    };
    tell(Message::Ended(end));
}

type Refusal = (Step, kvm_ioctls::Error);

/// Runs the guest until it leaves `KVM_RUN` for another reason than a stage that it reached.
fn drive(
    kvm: &Kvm,
    ram: &GuestRam,
    cpuid: &CpuId,
    mut reached: impl FnMut(Stage),
) -> Result<Exit, Refusal> {
    let vm = create_vm(kvm, ram)?;
    let mut vcpu = create_vcpu(&vm, cpuid)?;
    loop {
        match vcpu.run() {
            Ok(VcpuExit::IoOut(guest::STAGE_PORT, &[number])) => match Stage::from_number(number) {
                Some(stage) => reached(stage),
                None => return Ok(Exit::Unexpected),
            },
            Ok(VcpuExit::InternalError) => return Ok(Exit::InternalError),
            Ok(VcpuExit::Shutdown) => return Ok(Exit::TripleFault),
            Ok(VcpuExit::FailEntry(..)) => return Ok(Exit::FailedEntry),
            Ok(_) => return Ok(Exit::Unexpected),
            Err(error) if error.errno() == libc::EINTR => {}
            Err(error) => return Err((Step::Run, error)),
        }
    }
}

fn create_vm(kvm: &Kvm, ram: &GuestRam) -> Result<VmFd, Refusal> {
    let at = |step| move |error| (step, error);
    let vm = kvm.create_vm().map_err(at(Step::CreateVm))?;
    let slot = kvm_userspace_memory_region {
        memory_size: ram.size(),
        userspace_addr: ram.host_address().addr() as u64,
        ..kvm_userspace_memory_region::default()
    };
    // SAFETY: the mapping is as long as the slot, and both live as long as this process.
    unsafe { vm.set_user_memory_region(slot) }.map_err(at(Step::SetMemory))?;
    vm.set_tss_address(TSS_ADDRESS).map_err(at(Step::SetTss))?;
    vm.create_irq_chip().map_err(at(Step::CreateIrqchip))?;
    Ok(vm)
}

fn create_vcpu(vm: &VmFd, cpuid: &CpuId) -> Result<VcpuFd, Refusal> {
    let at = |step| move |error| (step, error);
    let vcpu = vm.create_vcpu(0).map_err(at(Step::CreateVcpu))?;
    vcpu.set_cpuid2(cpuid).map_err(at(Step::SetCpuid))?;
    let mut sregs = vcpu.get_sregs().map_err(at(Step::SetRegisters))?;
    let regs = guest::enter(&mut sregs);
    vcpu.set_sregs(&sregs).map_err(at(Step::SetRegisters))?;
    vcpu.set_regs(&regs).map_err(at(Step::SetRegisters))?;
    Ok(vcpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_dies_without_a_word_and_one_that_says_nothing_are_told_apart() {
        let (from_child, to_parent) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let soon = Instant::now() + Duration::from_millis(10);
        assert_eq!(listen(&from_child, soon).end, End::TimedOut);
        drop(to_parent);
        assert_eq!(listen(&from_child, soon + Duration::from_secs(5)).end, End::Died);
    }
}
