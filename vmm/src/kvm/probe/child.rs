//! Runs the tiny guest in a child process, with a watchdog.
//!
//! `KVM_RUN` may never return on a host without hardware virtualisation, and a thread that is stuck
//! in it cannot be ended alone; a process can. The child tells what it sees through a pipe, in
//! messages of two bytes, and is killed and reaped in every case.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use kvm_bindings::{CpuId, KVM_MAX_CPUID_ENTRIES, kvm_userspace_memory_region};
use kvm_ioctls::{Kvm, VcpuExit, VcpuFd, VmFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{self, Pid, Resource, Rlimit, Signal, WaitOptions};

use super::guest::{self, Stage};
use crate::kvm::arch::layout::TSS_ADDRESS;
use crate::{GuestRam, RamError};

/// CPU seconds after which the kernel ends a child that its parent could not.
const CPU_SECONDS: u64 = 10;

/// How long a killed child may take to go before a thread waits for it instead of the caller.
const REAP_PATIENCE: Duration = Duration::from_millis(200);

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

/// How the guest ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It reached its last stage.
    Finished,
    /// It left `KVM_RUN` for this reason and cannot go on.
    Exited(Exit),
    /// KVM refused to do this for it.
    Refused(Step, Errno),
    /// The watchdog ended it.
    TimedOut,
    /// Its process ended without a word.
    Died,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => f.write_str("it finished"),
            Self::Exited(exit) => f.write_str(exit.words()),
            Self::Refused(step, errno) => {
                write!(f, "KVM refused {}: {}", step.words(), io::Error::from(*errno))
            }
            Self::TimedOut => f.write_str("it did not finish in time"),
            Self::Died => f.write_str("its process ended without a word"),
        }
    }
}

/// Exits of `KVM_RUN` after which the guest cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    InternalError,
    TripleFault,
    FailedEntry,
    Unexpected,
}

impl Exit {
    const ALL: [Self; 4] =
        [Self::InternalError, Self::TripleFault, Self::FailedEntry, Self::Unexpected];

    fn words(self) -> &'static str {
        match self {
            Self::InternalError => "internal error of KVM",
            Self::TripleFault => "triple fault",
            Self::FailedEntry => "the processor refused to enter the guest",
            Self::Unexpected => "unexpected exit from the guest",
        }
    }
}

/// What the child asks of KVM, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    CreateVm,
    SetMemory,
    SetTss,
    CreateIrqchip,
    CreateVcpu,
    SetCpuid,
    SetRegisters,
    Run,
}

impl Step {
    const ALL: [Self; 8] = [
        Self::CreateVm,
        Self::SetMemory,
        Self::SetTss,
        Self::CreateIrqchip,
        Self::CreateVcpu,
        Self::SetCpuid,
        Self::SetRegisters,
        Self::Run,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::CreateVm => "to create a virtual machine",
            Self::SetMemory => "guest memory",
            Self::SetTss => "the address of the task state segment",
            Self::CreateIrqchip => "to create an interrupt controller",
            Self::CreateVcpu => "to create a virtual processor",
            Self::SetCpuid => "the CPUID of the processor",
            Self::SetRegisters => "the registers of the processor",
            Self::Run => "to run the processor",
        }
    }
}

/// What the child says, in two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    Reached(Stage),
    Ended(End),
}

impl Message {
    const REACHED: u8 = 1;
    const EXITED: u8 = 2;
    const REFUSED: u8 = 0x10;

    fn encode(self) -> [u8; 2] {
        match self {
            Self::Reached(stage) => [Self::REACHED, stage as u8],
            Self::Ended(End::Exited(exit)) => [Self::EXITED, exit as u8],
            Self::Ended(End::Refused(step, errno)) => {
                [Self::REFUSED + step as u8, u8::try_from(errno.raw_os_error()).unwrap_or(0)]
            }
            Self::Ended(_) => [0, 0],
        }
    }

    fn decode([tag, value]: [u8; 2]) -> Option<Self> {
        match tag {
            Self::REACHED => Stage::from_number(value).map(Self::Reached),
            Self::EXITED => {
                Exit::ALL.get(usize::from(value)).map(|exit| Self::Ended(End::Exited(*exit)))
            }
            _ => {
                let step = Step::ALL.get(usize::from(tag.checked_sub(Self::REFUSED)?))?;
                Some(Self::Ended(End::Refused(*step, Errno::from_raw_os_error(value.into()))))
            }
        }
    }
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
    let child = Child::start(|| serve(kvm, &ram, &cpuid, &to_parent))?;
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

/// A forked process; killed and reaped on drop.
struct Child {
    pid: Pid,
}

impl Child {
    /// Forks, and runs `body` in the child only.
    fn start(body: impl FnOnce()) -> Result<Self, ChildError> {
        let parent = process::getpid();
        // SAFETY: until it exits, the child calls only `body`, which by its contract allocates
        // nothing and takes no lock, and system calls.
        match unsafe { libc::fork() } {
            -1 => Err(ChildError::Start(io::Error::last_os_error())),
            0 => live_and_exit(parent, body),
            pid => Pid::from_raw(pid)
                .map(|pid| Self { pid })
                .ok_or_else(|| ChildError::Start(Errno::SRCH.into())),
        }
    }

    fn gone(&self) -> bool {
        // An error means that somebody else has reaped it.
        !matches!(process::waitpid(Some(self.pid), WaitOptions::NOHANG), Ok(None))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It fails only when the child is gone.
        let _ = process::kill_process(self.pid, Signal::KILL);
        let deadline = Instant::now() + REAP_PATIENCE;
        while !self.gone() {
            if Instant::now() > deadline {
                let pid = self.pid;
                std::thread::spawn(move || process::waitpid(Some(pid), WaitOptions::empty()));
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The life of the child: it must never return into the code of its parent, not by a panic either.
fn live_and_exit(parent: Pid, body: impl FnOnce()) -> ! {
    struct ExitOnUnwind;
    impl Drop for ExitOnUnwind {
        fn drop(&mut self) {
            exit_at_once();
        }
    }
    let _guard = ExitOnUnwind;
    // Two safety nets, for a parent that dies before it can kill.
    let _ = process::set_parent_process_death_signal(Some(Signal::KILL));
    let limit = Rlimit { current: Some(CPU_SECONDS), maximum: Some(CPU_SECONDS) };
    let _ = process::setrlimit(Resource::Cpu, limit);
    if process::getppid() == Some(parent) {
        body();
    }
    exit_at_once()
}

fn exit_at_once() -> ! {
    // SAFETY: ends the process without running any code of the parent's, such as `atexit` handlers.
    unsafe { libc::_exit(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_survives_its_two_bytes() {
        let stages = [Stage::Runs, Stage::TookException, Stage::TookInterrupt];
        let exits = Exit::ALL.map(|exit| Message::Ended(End::Exited(exit)));
        let refusals = Step::ALL.map(|step| Message::Ended(End::Refused(step, Errno::NODEV)));
        for message in stages.map(Message::Reached).into_iter().chain(exits).chain(refusals) {
            assert_eq!(Message::decode(message.encode()), Some(message));
        }
        assert_eq!(Message::decode([0, 0]), None);
        assert_eq!(Message::decode([Message::REFUSED + 99, 1]), None);
    }

    #[test]
    fn a_child_that_hangs_is_killed_and_reaped() {
        let child = Child::start(|| std::thread::sleep(Duration::from_secs(60))).unwrap();
        let pid = child.pid;
        let start = Instant::now();
        drop(child);
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!(process::test_kill_process(pid), Err(Errno::SRCH));
    }

    #[test]
    fn a_child_that_dies_without_a_word_and_one_that_says_nothing_are_told_apart() {
        let (from_child, to_parent) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let soon = Instant::now() + Duration::from_millis(10);
        assert_eq!(listen(&from_child, soon).end, End::TimedOut);
        drop(to_parent);
        assert_eq!(listen(&from_child, soon + Duration::from_secs(5)).end, End::Died);
    }
}
