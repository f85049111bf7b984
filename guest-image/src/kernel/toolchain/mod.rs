//! Compilers that build kernels, and emulators: those of the host, or unpacked beside it.

mod clang;
mod error;
mod host;
mod packages;
mod qemu;
mod rust;
mod wrapper;

pub use clang::{ClangTools, clang_tools};
pub use error::ToolchainError;
pub use host::{HostTools, host_tools};
pub(crate) use host::{in_path, prefixed, version};
pub use qemu::{qemu_tools, unpacked_qemu};
pub use rust::{RustTools, rust_tools};
