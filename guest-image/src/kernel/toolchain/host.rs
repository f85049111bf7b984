//! What the host itself must have to build a kernel.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

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

/// Checks that all that a kernel's build needs is there; `btf` when it makes BTF.
///
/// # Errors
/// When something is missing; the error names all of it, and the packages.
pub fn host_tools(btf: bool) -> Result<HostTools, ToolchainError> {
    let wanted = PROGRAMS.into_iter().chain([LZ4]).chain(btf.then_some(PAHOLE));
    let mut missing: Vec<(&str, &str)> =
        wanted.filter(|(name, _)| in_path(name).is_none()).collect();
    // Only a compiler that is there can tell whether the header is.
    if in_path("gcc").is_some() && !has_header("gelf.h") {
        missing.push(LIBELF);
    }
    if !missing.is_empty() {
        let (missing, packages) =
            missing.iter().map(|(m, p)| (m.to_string(), p.to_string())).unzip();
        return Err(ToolchainError::MissingHostTools { missing, packages });
    }
    Ok(HostTools {
        cc: version("gcc")?,
        ld: version("ld")?,
        pahole: btf.then(|| version("pahole")).transpose()?,
    })
}

/// Where `program` is found in `PATH`.
pub(super) fn in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(program)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// The first line that `program --version` prints.
pub(super) fn version(program: impl AsRef<std::ffi::OsStr>) -> Result<String, ToolchainError> {
    let text = output(Command::new(program).arg("--version"))?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
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
}
