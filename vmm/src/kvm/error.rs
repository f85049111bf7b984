//! Why a machine cannot be made.

use std::io;

use super::boot::LoadError;
use super::device::DeviceError;
use super::jail::JailError;
use super::memory::MemoryError;
use super::snapshot::SnapshotError;
use super::vcpu::ProcessorError;
use crate::{DiskError, MOST_DISKS};

/// Why a machine cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum KvmError {
    /// There is no KVM to make it with.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// It would have no processor, or more than there can be.
    #[error("{asked} processors: this machine can have 1 to {most}")]
    Cpus {
        /// How many were asked for.
        asked: u32,
        /// How many there can be.
        most: u8,
    },
    /// A file or size is no disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// It would have more disks than there can be.
    #[error("{0} disks: this machine can have {MOST_DISKS} at most")]
    Disks(usize),
    /// There is no RAM for it.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The kernel cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A processor cannot be set up.
    #[error(transparent)]
    Processor(#[from] ProcessorError),
    /// The threads of the machine cannot be confined.
    #[error(transparent)]
    Jail(#[from] JailError),
    /// What was saved of another one cannot be gone on with.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// KVM or the host refused something else.
    #[error("cannot {what}: {source}")]
    Host {
        /// What was to be done.
        what: &'static str,
        /// The host's words.
        source: io::Error,
    },
}
