//! QEMU as a machine: where KVM cannot serve, and for other architectures.
//!
//! Everything between the harness and QEMU goes over socket pairs and a memfd that QEMU inherits:
//! no ports, no socket files, nothing to clean up.

mod accel;
mod child;
mod command;
mod error;
mod machine;
mod qmp;
mod registers;

pub use accel::Accel;
pub use error::QemuError;
pub use machine::{Qemu, boot};
