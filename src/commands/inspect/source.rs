//! Finds and opens what is to be inspected.

use std::path::{Path, PathBuf};

use inspect::Kernel;

use crate::error::Failure;
use crate::exit::Exit;

/// Opens a snapshot, a vmcore, or a run's directory, which has its snapshot in `snapshot/`.
///
/// # Errors
/// When the file is bad, with the reason and the offset, or has no kernel in it.
pub fn attach(path: &Path) -> Result<Kernel, Failure> {
    let usage = |error: &dyn std::error::Error| Failure::new(Exit::Usage, error);
    let dump = inspect::dump::open(&resolve(path)).map_err(|error| usage(&error))?;
    Kernel::attach(dump)
        .map_err(|error| Failure::new(Exit::Usage, format!("`{}`: {error}", path.display())))
}

fn resolve(path: &Path) -> PathBuf {
    let inner = path.join("snapshot");
    let is_run = !path.join("manifest.json").exists() && inner.join("manifest.json").exists();
    if is_run { inner } else { path.to_owned() }
}
