//! A QEMU newer than the host's, from the backports of its Debian release.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::debian::Apt;
use super::super::{Arch, Cache, CacheError, Progress};
use super::ToolchainError;
use super::wrapper::write_wrapper;

/// Where it is in the cache.
const NAME: &str = "qemu";

/// The emulator for Arm guests and what it reads. Its libraries are those of the host's own
/// `qemu-system-arm`.
const PACKAGES: [&str; 3] = ["qemu-system-arm", "qemu-system-common", "qemu-system-data"];

/// The program.
const PROGRAM: &str = "qemu-system-aarch64";

/// Room for the packages and what is unpacked from them, in bytes.
const ROOM: u64 = 1 << 30;

/// The unpacked `program`, if it was unpacked.
#[must_use]
pub fn unpacked_qemu(cache: &Cache, program: &str) -> Option<PathBuf> {
    let path = cache.root().join("toolchain").join(NAME).join("bin").join(program);
    path.is_file().then_some(path)
}

/// QEMU for Arm guests from the backports of the host's Debian release, unpacked into `cache` when it
/// is not there yet (50 MB).
///
/// # Errors
/// When the host is no Debian, or its mirrors have no such packages.
pub fn qemu_tools(cache: &Cache, progress: &dyn Progress) -> Result<PathBuf, ToolchainError> {
    let _lock = cache.lock(NAME, progress)?;
    if let Some(path) = unpacked_qemu(cache, PROGRAM) {
        return Ok(path);
    }
    cache.expect_room(ROOM)?;
    let suite = backports()?;
    let apt = Apt::of_suite(cache, Arch::X86_64, &suite)?;
    apt.update(progress)?;
    if apt.field(PACKAGES[0], "Version")?.is_none() {
        return Err(ToolchainError::NoQemu { suite });
    }
    let staging = cache.stage()?;
    apt.unpack(&PACKAGES, staging.path(), progress)?;
    write_wrapper(staging.path(), PROGRAM, &format!("usr/bin/{PROGRAM}"))?;
    cache.place(staging, "toolchain", NAME)?;
    Ok(cache.root().join("toolchain").join(NAME).join("bin").join(PROGRAM))
}

/// The suite with the backports of the host's release (os-release(5)).
fn backports() -> Result<String, ToolchainError> {
    let path = Path::new("/etc/os-release");
    let text = fs::read_to_string(path).map_err(|e| CacheError::io(path, e))?;
    let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let name = name.unwrap_or_default().trim_matches('"');
    match name.is_empty() {
        true => Err(ToolchainError::NoQemu { suite: "Debian's backports".into() }),
        false => Ok(format!("{name}-backports")),
    }
}
