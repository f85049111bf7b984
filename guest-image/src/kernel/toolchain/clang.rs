//! clang with LLVM's binary utilities, for the kernels that gcc cannot build.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::debian::Apt;
use super::super::{Arch, Cache, CacheError, Progress};
use super::ToolchainError;
use super::host::{in_path, version};
use super::packages::{clang_packages, number};
use super::wrapper::write_wrapper;

/// The oldest clang that kernels take (scripts/min-tool-version.sh of Linux 7.3).
pub(super) const OLDEST: u32 = 17;

/// Room for the packages and what is unpacked from them, in bytes.
const ROOM: u64 = 1 << 30;

/// What Kbuild runs when it is given `LLVM=` (the kernel's Documentation/kbuild/llvm.rst).
const PROGRAMS: [&str; 10] = [
    "clang",
    "clang++",
    "ld.lld",
    "llvm-ar",
    "llvm-link",
    "llvm-nm",
    "llvm-objcopy",
    "llvm-objdump",
    "llvm-readelf",
    "llvm-strip",
];

/// clang and LLVM's binary utilities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClangTools {
    /// The directory of the programs.
    pub bin: PathBuf,
    /// First line of `clang --version`.
    pub version: String,
}

impl ClangTools {
    /// What make is told, for a kernel as for a module of it.
    #[must_use]
    pub fn make_variables(&self) -> [String; 1] {
        // Kbuild takes a prefix for a directory when it ends in a slash.
        [format!("LLVM={}/", self.bin.display())]
    }

    fn in_directory(bin: PathBuf) -> Result<Self, ToolchainError> {
        let version = version(bin.join("clang"))?;
        Ok(Self { bin, version })
    }

    /// The host's own, if it is complete and new enough.
    fn of_host() -> Option<Self> {
        let bin = in_path("clang")?.parent()?.to_path_buf();
        let tools = Self::in_directory(bin).ok()?;
        let complete = PROGRAMS.iter().all(|program| tools.bin.join(program).is_file());
        (complete && major(&tools.version)? >= OLDEST).then_some(tools)
    }
}

/// The 19 of `Debian clang version 19.1.7 (3~deb12u1)`.
fn major(version: &str) -> Option<u32> {
    version.split("version ").nth(1)?.split('.').next()?.parse().ok()
}

/// clang for kernels: the host's when it is complete, else one in `cache`, which is unpacked from
/// the distribution's packages (70 MB) when it is not there yet.
///
/// # Errors
/// When there is none and it cannot be set up.
pub fn clang_tools(cache: &Cache, progress: &dyn Progress) -> Result<ClangTools, ToolchainError> {
    if let Some(tools) = ClangTools::of_host() {
        return Ok(tools);
    }
    let prefix = cache.directory("toolchain")?.join("clang");
    let _lock = cache.lock("clang", progress)?;
    if !prefix.is_dir() {
        set_up(cache, progress)?;
    }
    ClangTools::in_directory(prefix.join("bin"))
}

fn set_up(cache: &Cache, progress: &dyn Progress) -> Result<(), ToolchainError> {
    cache.expect_room(ROOM)?;
    let apt = Apt::new(cache, Arch::X86_64)?;
    let updated = apt.update(progress);
    let Some(packages) = clang_packages(&apt)? else {
        updated?;
        return Err(ToolchainError::NoClang { oldest: OLDEST });
    };
    let staging = cache.stage()?;
    let names: Vec<&str> = packages.iter().map(String::as_str).collect();
    apt.unpack(&names, staging.path(), progress)?;
    write_wrappers(staging.path())?;
    cache.place(staging, "toolchain", "clang")?;
    Ok(())
}

fn write_wrappers(prefix: &Path) -> Result<(), ToolchainError> {
    let lib = prefix.join("usr/lib");
    let listing = fs::read_dir(&lib).map_err(|e| CacheError::io(&lib, e))?;
    let names = listing.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let llvm = names.filter(|name| name.starts_with("llvm-")).max_by_key(|name| number(name));
    let llvm = llvm.ok_or(ToolchainError::NoClang { oldest: OLDEST })?;
    for program in PROGRAMS {
        write_wrapper(prefix, program, &format!("usr/lib/{llvm}/bin/{program}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_found_in_a_distribution_s_banner() {
        assert_eq!(major("Debian clang version 19.1.7 (3~deb12u1)"), Some(19));
        assert_eq!(major("clang version 20.0.0git"), Some(20));
        assert_eq!(major("gcc (Debian) 12.2.0"), None);
    }

    #[test]
    fn make_is_given_a_directory_and_not_a_prefix() {
        let tools = ClangTools { bin: "/opt/llvm/bin".into(), version: String::new() };
        assert_eq!(tools.make_variables(), ["LLVM=/opt/llvm/bin/"]);
    }
}
