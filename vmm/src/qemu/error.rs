//! What can go wrong between the harness and QEMU.

use std::io;
use std::path::PathBuf;

use super::Version;
use crate::{DiskError, Model, RamError};

/// Why QEMU cannot run a guest. All of these are faults of the host or of the harness.
#[derive(Debug, thiserror::Error)]
pub enum QemuError {
    /// The program is not there.
    #[error(
        "{program} is not on PATH; install it (Debian, Ubuntu: `apt-get install qemu-system-{package}`; \
         Fedora: `dnf install qemu-system-{fedora}-core`) or name one with {variable}",
        package = package(program), fedora = fedora(program), variable = variable(program)
    )]
    Missing {
        /// Program that was looked for.
        program: String,
    },
    /// None of the programs that are there is new enough.
    #[error(
        "{model} needs QEMU {oldest} or newer, and {program} is {found}: `kharness kernel toolchain \
         --qemu` unpacks a newer one from Debian's backports beside it, or name one with {variable}",
        variable = variable(program)
    )]
    TooOld {
        /// The machine.
        model: Model,
        /// The oldest that has it.
        oldest: Version,
        /// Program that was found.
        program: String,
        /// Its version.
        found: String,
    },
    /// A board without a device tree.
    #[error(
        "{model} needs the kernel's device tree {}, and there is none beside this kernel: name a build \
         tree in which `make dtbs` has run, or an installed kernel",
        model.device_tree().unwrap_or_default()
    )]
    NoDeviceTree {
        /// The board.
        model: Model,
    },
    /// More than QEMU records.
    #[error("QEMU records PCs with one vCPU, without disks and without a KVM of their own")]
    NotRecorded,
    /// A disk is not one.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A board with disks.
    #[error("{model} has nothing to connect a disk to")]
    Disks {
        /// The board.
        model: Model,
    },
    /// A device tree that is not the board's.
    #[error("{} does not serve as the device tree of {model}: {reason}", path.display())]
    DeviceTree {
        /// The file.
        path: PathBuf,
        /// The board.
        model: Model,
        /// What is wrong with it.
        reason: String,
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
    /// Saved RAM of another size.
    #[error(
        "the saved machine has {length} bytes of RAM, not {expected}: its file was cut, or it \
             is another machine's; take the snapshot again"
    )]
    ForeignRam {
        /// Bytes that the configuration states.
        expected: u64,
        /// Bytes that the file has.
        length: u64,
    },
    /// No guest RAM.
    #[error(transparent)]
    Ram(#[from] RamError),
}

/// Programs are told apart by their names, or by the variable that named one.
fn is_for_arm(program: &str) -> bool {
    program.to_ascii_lowercase().contains("aarch64")
}

/// Debian's name for the architectures that `program` emulates.
fn package(program: &str) -> &'static str {
    if is_for_arm(program) { "arm" } else { "x86" }
}

fn fedora(program: &str) -> &'static str {
    if is_for_arm(program) { "aarch64" } else { "x86" }
}

/// The variable that names another program in its place.
fn variable(program: &str) -> &'static str {
    if is_for_arm(program) { "KHARNESS_QEMU_AARCH64" } else { "KHARNESS_QEMU" }
}

/// Names what was being set up when it failed.
pub(super) fn set_up<T>(what: &'static str, result: io::Result<T>) -> Result<T, QemuError> {
    result.map_err(|source| QemuError::SetUp { what, source })
}
