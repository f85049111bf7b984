//! What a built module depends on, as a hash.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use super::compilers::Compilers;
use super::source::ModuleSource;
use super::{ModuleBuildError, support};
use crate::kernel::Kernel;

/// Raised when modules are built in another way: older ones are then built anew.
const FORMAT: u32 = 2;

/// Files of a build tree that are read: they say what is exported and how it is configured.
const READ: [&str; 3] = [".config", "Module.symvers", "include/generated/utsrelease.h"];

/// Files of a build tree that change with each build of it; too large to be read each time.
const LOOKED_AT: [&str; 2] = ["vmlinux", "rust/libkernel.rmeta"];

/// Twelve hexadecimal digits that change when the source, the support crate, the kernel or a
/// compiler does.
pub(super) fn key(
    source: &ModuleSource,
    kernel: &Kernel,
    devel: &Path,
    compilers: &Compilers,
) -> Result<String, ModuleBuildError> {
    let mut hasher = Sha256::new();
    hasher.update(FORMAT.to_le_bytes());
    add(&mut hasher, compilers.identity.as_bytes());
    add(&mut hasher, kernel.release.as_bytes());
    support::hash(&mut hasher);
    add_kernel(&mut hasher, devel);
    // Where the source is, too: it stands in the debug information.
    for path in source.files()? {
        add(&mut hasher, path.as_os_str().as_encoded_bytes());
        add(&mut hasher, &fs::read(&path).map_err(|e| ModuleBuildError::io(path, e))?);
    }
    Ok(short(hasher))
}

/// What is not there is no part of this kernel.
fn add_kernel(hasher: &mut Sha256, devel: &Path) {
    add(hasher, devel.as_os_str().as_encoded_bytes());
    for name in READ {
        add(hasher, &fs::read(devel.join(name)).unwrap_or_default());
    }
    for name in LOOKED_AT {
        let metadata = fs::metadata(devel.join(name)).ok();
        let modified = metadata.as_ref().and_then(|file| file.modified().ok());
        let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        // File systems of images keep whole seconds.
        add(hasher, &since.map_or(0, |time| time.as_secs()).to_le_bytes());
        add(hasher, &metadata.map_or(0, |file| file.len()).to_le_bytes());
    }
}

fn add(hasher: &mut Sha256, bytes: &[u8]) {
    hasher.update(bytes.len().to_le_bytes());
    hasher.update(bytes);
}

/// Twelve hexadecimal digits of a hash.
pub(super) fn short(hasher: Sha256) -> String {
    hasher.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
