//! Which exit code an error about kernels stands for.

use guest_image::kernel::debian::FetchError;
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
