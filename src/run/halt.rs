//! Why a guest is not driven any further.

use std::fmt;
use std::time::Duration;

use vmm::Stop;

/// The end of a guest, or of the harness's patience with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// The machine stopped.
    Stopped(Stop),
    /// The kernel panicked, and the machine did not stop by itself.
    Panicked,
    /// A phase took too long while the guest still answered or could not be asked.
    Timeout {
        /// Which limit: `boot`, `step`, `quiet`, `total` or `power-off`.
        phase: Phase,
        /// The limit, scaled.
        limit: Duration,
        /// What the guest was doing, as far as the harness can tell.
        state: Liveness,
    },
    /// The control channel closed or broke while the machine ran on.
    AgentLost(String),
    /// Ctrl-C.
    Interrupted,
    /// The harness or the host failed.
    Host(String),
}

/// The phases that have a limit of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// From the start of the machine to the agent's first message.
    Boot,
    /// One step.
    Step,
    /// No sign of life on any stream.
    Quiet,
    /// The whole scenario.
    Total,
    /// From the request to power off to the machine's end.
    PowerOff,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boot => "boot",
            Self::Step => "step",
            Self::Quiet => "quiet",
            Self::Total => "total",
            Self::PowerOff => "power-off",
        })
    }
}

/// Whether the guest answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// The agent answered a ping.
    Answers,
    /// The agent did not answer a ping: the kernel or the agent hangs.
    Silent,
    /// There was no agent to ask.
    Unknown,
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(stop) => write!(f, "{}", Words(stop)),
            Self::Panicked => f.write_str("the kernel panicked"),
            Self::Timeout { phase, limit, state } => {
                let seconds = limit.as_secs_f32().ceil();
                match phase {
                    Phase::Quiet => write!(f, "timeout: no sign of life for {seconds}s")?,
                    phase => write!(f, "timeout: {phase} took more than {seconds}s")?,
                }
                f.write_str(match state {
                    Liveness::Answers => " (the guest still answers)",
                    Liveness::Silent => " and the guest does not answer: it hangs",
                    Liveness::Unknown => "",
                })
            }
            Self::AgentLost(how) => write!(f, "lost the agent: {how}"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Host(reason) => f.write_str(reason),
        }
    }
}

struct Words<'a>(&'a Stop);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Stop::PowerOff => f.write_str("the guest powered itself off"),
            Stop::Reset => f.write_str("the guest reset itself"),
            Stop::TripleFault => f.write_str("the guest died of a triple fault"),
            Stop::Asked => f.write_str("the harness stopped the guest"),
            Stop::Internal(reason) => write!(f, "the machine failed: {reason}"),
        }
    }
}
