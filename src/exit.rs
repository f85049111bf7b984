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
    /// Ctrl-C, as shells count it.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
