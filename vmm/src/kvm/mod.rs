//! Our own machine on `/dev/kvm`, for x86-64.

mod arch;
mod boot;
mod closing;
mod device;
mod devices;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod gdb;
mod hold;
mod interrupt;
mod jail;
mod machine;
mod memory;
mod outbox;
mod pages;
mod probe;
mod shared;
mod snapshot;
mod supervisor;
mod vcpu;
mod vm;

pub use boot::{
    BzImageError, CommandLineError, ElfError, ImageError, InitramfsError, LoadError,
    PlacementError, Span,
};
pub use device::DeviceError;
pub use error::KvmError;
pub use jail::JailError;
pub use machine::{KvmMachine, boot};
pub use memory::{MemoryError, RamRegion};
pub use probe::{Probe, probe, probe_device};
pub use snapshot::{SnapshotError, fork, fork_to_reset};
pub use vcpu::{ExitKind, ProcessorError};
