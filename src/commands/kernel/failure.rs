//! Which exit code an error about kernels stands for.

use guest_image::kernel::build::BuildError;
use guest_image::kernel::debian::FetchError;
use guest_image::kernel::toolchain::ToolchainError;
use guest_image::kernel::{CacheError, KernelError};

use crate::error::Failure;
use crate::exit::Exit;

/// A wrong name is the user's; a full disk is the host's.
pub fn of_cache(error: &CacheError) -> Failure {
    let exit = match error {
        CacheError::NoEntry { .. } => Exit::Usage,
        _ => Exit::Harness,
    };
    Failure::new(exit, error)
}

/// What `-k` names is the user's.
pub fn of_kernel(error: &KernelError) -> Failure {
    match error {
        KernelError::Cache(error) => of_cache(error),
        other => Failure::new(Exit::Usage, other),
    }
}

/// Packages, mirrors and disks are the host's.
pub fn of_fetch(error: &FetchError) -> Failure {
    Failure::new(Exit::Harness, error)
}

/// What is missing on the host is the host's.
pub fn of_toolchain(error: &ToolchainError) -> Failure {
    Failure::new(Exit::Harness, error)
}

/// A wrong fragment or source is the user's, and so is a kernel that does not compile.
pub fn of_build(error: &BuildError) -> Failure {
    let exit = match error {
        BuildError::BadFragment { .. }
        | BuildError::UnreadableConfig { .. }
        | BuildError::Unhonoured { .. }
        | BuildError::NotForArch { .. }
        | BuildError::NotASource { .. }
        | BuildError::Make { .. }
        | BuildError::Layout { .. } => Exit::Usage,
        _ => Exit::Harness,
    };
    Failure::new(exit, error)
}
