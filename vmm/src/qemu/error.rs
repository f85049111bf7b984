//! What can go wrong between the harness and QEMU.

use std::io;

use crate::RamError;

/// Why QEMU cannot run a guest. All of these are faults of the host or of the harness.
#[derive(Debug, thiserror::Error)]
pub enum QemuError {
    /// The program is not there.
    #[error(
        "{program} is not on PATH; install it (Debian, Ubuntu: `apt-get install qemu-system-x86`; \
         Fedora: `dnf install qemu-system-x86-core`) or name one with KHARNESS_QEMU"
    )]
    Missing {
        /// Program that was looked for.
        program: String,
    },
    /// The program cannot be started.
    #[error("cannot start {program}: {source}")]
    Start {
        /// Program that was started.
        program: String,
        /// The host's words.
        source: io::Error,
    },
    /// A file or socket that QEMU needs cannot be made.
    #[error("cannot set up QEMU's {what}: {source}")]
    SetUp {
        /// What was being made.
        what: &'static str,
        /// The host's words.
        source: io::Error,
    },
    /// QEMU does not speak QMP, or ended at once.
    #[error("QEMU did not come up: {reason}")]
    Handshake {
        /// What happened, with QEMU's own words where it had any.
        reason: String,
    },
    /// No guest RAM.
    #[error(transparent)]
    Ram(#[from] RamError),
}
