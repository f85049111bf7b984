//! Our own machine on `/dev/kvm`, for x86-64.

mod arch;
mod boot;
mod device;
mod devices;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod interrupt;
mod jail;
mod machine;
mod memory;
mod outbox;
mod probe;
mod shared;
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
pub use vcpu::{ExitKind, ProcessorError};
