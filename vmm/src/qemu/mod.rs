//! QEMU as a machine: where KVM cannot serve, and for other architectures.
//!
//! Everything between the harness and QEMU goes over socket pairs and a memfd that QEMU inherits:
//! no ports, no socket files, nothing to clean up.

mod accel;
mod boards;
mod child;
mod command;
mod ends;
mod error;
mod execution;
mod files;
mod hold;
mod lines;
mod machine;
mod migration;
mod process;
mod qmp;
mod registers;
mod start;
mod streams;
mod tsc;

pub use accel::Accel;
pub use boards::Version;
pub use error::QemuError;
pub use execution::Recording;
pub use machine::Qemu;
pub use start::{boot, fork, record, replay};
