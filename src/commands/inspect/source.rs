//! Finds and opens what is to be inspected.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use inspect::Kernel;
use walkdir::WalkDir;

use crate::error::Failure;
use crate::exit::Exit;

/// Directories below that of a run that are looked into: ids of tests have few parts.
const DEPTH: usize = 8;

/// Opens a snapshot, a vmcore, or the directory of a run or of one of its tests, which has its snapshot
/// somewhere below.
///
/// # Errors
/// When the file is bad, with the reason and the offset, or has no kernel in it; and when a run has no
/// snapshot, or several.
pub fn attach(path: &Path) -> Result<Kernel, Failure> {
    let usage = |error: &dyn std::error::Error| Failure::new(Exit::Usage, error);
    let path = resolve(path)?;
    let dump = inspect::dump::open(&path).map_err(|error| usage(&error))?;
    if let Some(caveat) = dump.memory.caveat() {
        // Standard error may be closed; what was asked for is shown all the same.
        let _ = writeln!(io::stderr(), "kharness: `{}`: {caveat}", path.display());
    }
    Kernel::attach(dump)
        .map_err(|error| Failure::new(Exit::Usage, format!("`{}`: {error}", path.display())))
}

/// The kernel of the guest that runs in the directory of a run.
///
/// # Errors
/// When none runs there, or it has no kernel yet.
pub fn attach_live(path: &Path) -> Result<Kernel, Failure> {
    let dump = crate::memory::live::open(path).map_err(|why| Failure::new(Exit::Usage, why))?;
    Kernel::attach(dump)
        .map_err(|error| Failure::new(Exit::Usage, format!("`{}`: {error}", path.display())))
}

/// The snapshot that `path` means.
///
/// # Errors
/// When a run has none, or several.
pub fn resolve(path: &Path) -> Result<PathBuf, Failure> {
    if !path.is_dir() || is_snapshot(path) {
        return Ok(path.to_owned());
    }
    let inner = path.join("snapshot");
    if is_snapshot(&inner) {
        return Ok(inner);
    }
    let mut found = snapshots_below(path);
    // Those of crashes come before those that steps took.
    if found.iter().any(|path| path.ends_with("snapshot")) {
        found.retain(|path| path.ends_with("snapshot"));
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::new(
            Exit::Usage,
            format!(
                "`{}` has no snapshot: one is taken of every crash, hang and timeout, and of every \
                 test with `kharness run --keep`",
                path.display()
            ),
        )),
        several => {
            let names: Vec<String> =
                several.iter().map(|path| format!("  {}", path.display())).collect();
            let reason =
                format!("there are {} snapshots, name one:\n{}", names.len(), names.join("\n"));
            Err(Failure::new(Exit::Usage, reason))
        }
    }
}

fn is_snapshot(path: &Path) -> bool {
    path.join("manifest.json").is_file()
}

fn snapshots_below(path: &Path) -> Vec<PathBuf> {
    let entries = WalkDir::new(path).max_depth(DEPTH).sort_by_file_name().into_iter().flatten();
    entries
        .filter(|entry| entry.file_type().is_dir() && is_snapshot(entry.path()))
        .map(walkdir::DirEntry::into_path)
        .collect()
}
