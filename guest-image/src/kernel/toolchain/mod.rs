//! Compilers that build kernels: those of the host, or unpacked beside it.

mod error;
mod host;
mod packages;
mod rust;

pub use error::ToolchainError;
pub use host::{HostTools, host_tools};
pub use rust::{RustTools, rust_tools};
