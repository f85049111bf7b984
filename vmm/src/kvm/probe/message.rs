//! What the child process says about the guest, and the words for it.

use std::fmt;
use std::io;

use rustix::io::Errno;

use super::guest::Stage;

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
pub(super) enum Message {
    Reached(Stage),
    Ended(End),
}

impl Message {
    const REACHED: u8 = 1;
    const EXITED: u8 = 2;
    const REFUSED: u8 = 0x10;

    pub(super) fn encode(self) -> [u8; 2] {
        match self {
            Self::Reached(stage) => [Self::REACHED, stage as u8],
            Self::Ended(End::Exited(exit)) => [Self::EXITED, exit as u8],
            Self::Ended(End::Refused(step, errno)) => {
                [Self::REFUSED + step as u8, u8::try_from(errno.raw_os_error()).unwrap_or(0)]
            }
            Self::Ended(_) => [0, 0],
        }
    }

    pub(super) fn decode([tag, value]: [u8; 2]) -> Option<Self> {
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
}
