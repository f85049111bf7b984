//! What the host itself must have to build a kernel.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::super::Arch;
use super::super::process::output;
use super::ToolchainError;

/// Programs that the kernel's build runs, and the Debian packages that have them
/// (the kernel's Documentation/process/changes.rst).
const PROGRAMS: [(&str, &str); 9] = [
    ("gcc", "gcc"),
    ("ld", "binutils"),
    ("make", "make"),
    ("flex", "flex"),
    ("bison", "bison"),
    ("bc", "bc"),
    ("cpio", "cpio"),
    ("depmod", "kmod"),
    ("tar", "tar"),
];

/// objtool reads object files with libelf.
const LIBELF: (&str, &str) = ("the header gelf.h", "libelf-dev");

/// BTF is made from DWARF by pahole.
const PAHOLE: (&str, &str) = ("pahole", "pahole");

/// The images of our profiles are compressed with lz4.
const LZ4: (&str, &str) = ("lz4", "lz4");

/// The versions of the host's compilers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostTools {
    /// First line of `gcc --version`.
    pub cc: String,
    /// First line of `ld --version`.
    pub ld: String,
    /// `pahole --version`, when BTF is wanted.
    pub pahole: Option<String>,
}

/// Checks that all that a build of a kernel for `arch` needs is there; `btf` when it makes BTF.
///
/// # Errors
/// When something is missing; the error names all of it, and the packages.
pub fn host_tools(arch: Arch, btf: bool) -> Result<HostTools, ToolchainError> {
    let compressor = (arch == Arch::X86_64).then_some(LZ4);
    let wanted = PROGRAMS.into_iter().chain(compressor).chain(btf.then_some(PAHOLE));
    let mut missing: Vec<(String, String)> = wanted
        .filter(|(name, _)| in_path(name).is_none())
        .map(|(name, package)| (name.to_owned(), package.to_owned()))
        .collect();
    missing.extend(missing_cross_compiler(arch));
    // Only a compiler that is there can tell whether the header is.
    if in_path("gcc").is_some() && !has_header("gelf.h") {
        missing.push((LIBELF.0.to_owned(), LIBELF.1.to_owned()));
    }
    if !missing.is_empty() {
        let (missing, packages) = missing.into_iter().unzip();
        return Err(ToolchainError::MissingHostTools { missing, packages });
    }
    Ok(HostTools {
        cc: version(prefixed(arch, "gcc"))?,
        ld: version(prefixed(arch, "ld"))?,
        pahole: btf.then(|| version("pahole")).transpose()?,
    })
}

/// The name of the program `tool` of the binary utilities for `arch`.
pub(crate) fn prefixed(arch: Arch, tool: &str) -> String {
    format!("{}{tool}", arch.cross_prefix().unwrap_or_default())
}

/// Debian's package has compiler and binary utilities.
fn missing_cross_compiler(arch: Arch) -> Option<(String, String)> {
    let prefix = arch.cross_prefix()?;
    let compiler = prefixed(arch, "gcc");
    in_path(&compiler).is_none().then(|| {
        let package = format!("gcc-{}", prefix.trim_end_matches('-').replace('_', "-"));
        (compiler, package)
    })
}

/// Where `program` is found in `PATH`.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(program)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// The first line that `program --version` prints. Each program is asked once: rustc takes a tenth of a second to
/// tell, and every module's identity has it.
pub(crate) fn version(program: impl AsRef<OsStr>) -> Result<String, ToolchainError> {
    static KNOWN: Mutex<BTreeMap<OsString, String>> = Mutex::new(BTreeMap::new());
    let program = program.as_ref();
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(version) = known.get(program) {
        return Ok(version.clone());
    }
    let text = output(Command::new(program).arg("--version"))?;
    let version = text.lines().next().unwrap_or_default().trim().to_owned();
    known.insert(program.to_owned(), version.clone());
    Ok(version)
}

fn has_header(name: &str) -> bool {
    let script = format!("echo '#include <{name}>' | gcc -E - -o /dev/null");
    output(Command::new("sh").args(["-c", &script])).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_path_and_directories_are_none() {
        assert!(in_path("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(in_path("kharness-no-such-program"), None);
        assert_eq!(in_path("."), None);
    }

    #[test]
    fn the_version_is_the_first_line() {
        assert!(version("sh").is_err() || version("ls").unwrap().contains("ls"));
    }

    #[test]
    fn a_program_is_asked_once() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("asked");
        let script = "#!/bin/sh\necho x >> \"$0.log\"\necho asked 1.0\n";
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(version(&program).unwrap(), "asked 1.0");
        assert_eq!(version(&program).unwrap(), "asked 1.0");
        assert_eq!(std::fs::read_to_string(dir.path().join("asked.log")).unwrap(), "x\n");
    }
}
