//! Machines that boot a kernel: our own on KVM, and QEMU.
//!
//! [`Machine`] is the contract of every backend. A backend's `boot` takes a [`Config`] and gives a
//! machine together with the channel of its [`Event`]s.

mod arenas;
mod disk;
mod hold;
mod machine;
mod ram;

pub mod kvm;
pub mod qemu;

pub use arenas::share_arenas;
pub use disk::{Content, Disk, DiskError, MOST_DISKS, SECTOR};
pub use hold::HoldCpus;
pub use machine::{
    ACKNOWLEDGED, Backend, CONTROL_PORT, Config, Event, Fixed, Machine, Model, Registers, Saved,
    Stop,
};
pub use ram::{GuestRam, RamError, Whereabouts};
