//! How the command ends.

use std::process::ExitCode;

/// Exit codes of `kharness`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All good.
    Good = 0,
    /// A test failed, crashed or timed out.
    Failed = 1,
    /// Wrong usage, or a bad scenario file.
    Usage = 2,
    /// The harness or the host failed; nothing was learnt about the kernel.
    Harness = 3,
    /// Nothing was selected.
    Nothing = 4,
    /// What `git bisect run` takes for "this revision cannot be tested".
    CannotTell = 125,
    /// Ctrl-C, as shells count it.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// The graver of two ends of the same command: what is known to be wrong with the kernel
    /// comes before what is wrong with the host.
    pub fn worst(self, other: Self) -> Self {
        let weight = |exit| match exit {
            Self::Good => 0,
            Self::Nothing => 1,
            Self::Harness => 2,
            Self::CannotTell => 3,
            Self::Usage => 4,
            Self::Failed => 5,
            Self::Interrupted => 6,
        };
        if weight(other) > weight(self) { other } else { self }
    }
}
