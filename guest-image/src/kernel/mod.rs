//! Kernels: what `-k` names, where it lies on disk, and what can be read from it.
//!
//! [`resolve`] turns a name or a path into a [`Kernel`]. [`debian::fetch`] gets the
//! distribution's stock kernel into the [`Cache`], where it is found by the name `debian`;
//! [`build::build`] builds one of our own for a profile, found by the profile's name.

mod arch;
mod compression;
mod config;
mod error;
mod hash;
mod process;
mod progress;
mod resolve;

pub mod build;
pub mod cache;
pub mod debian;
pub mod image;
pub mod modules;
pub mod toolchain;

pub use arch::Arch;
pub use cache::{Cache, CacheError};
pub use config::{Config, Requirement, RequirementError, Unmet, Value};
pub use error::KernelError;
pub use modules::{ModuleError, ModuleFile, ModuleTree};
pub use process::ProcessError;
pub(crate) use process::{output as program_output, run as run_program};
pub use progress::{Progress, Silent};
pub use resolve::{Kernel, resolve};
