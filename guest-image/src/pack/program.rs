//! Packs one program: an ELF executable or a script.

use std::path::{Path, PathBuf};

use crate::initramfs::Archive;
use crate::pack::{PackError, elf, host, libraries};

/// `BINPRM_BUF_SIZE` (include/uapi/linux/binfmts.h): the kernel reads no more of a `#!` line.
const SCRIPT_LINE: usize = 256;

/// Interpreters of interpreters that the kernel follows (fs/exec.c, exec_binprm).
const SCRIPT_DEPTH: u32 = 5;

/// Adds the program called `name` on the host, or at that path, with the shared libraries or the
/// interpreter that it needs; gives its path, in the host and in the guest. Libraries that a
/// program loads by itself (`dlopen(3)`) and files that it reads are not found: they are stated
/// as files.
///
/// # Errors
/// When the program, or something that it needs, is not on the host.
pub fn program(archive: &mut Archive, name: &str) -> Result<PathBuf, PackError> {
    let path = host::find(name)?;
    add(archive, &path, SCRIPT_DEPTH)?;
    Ok(path)
}

fn add(archive: &mut Archive, path: &Path, depth: u32) -> Result<(), PackError> {
    let Some(contents) = host::add(archive, path)? else {
        return Ok(());
    };
    if let Some(line) = contents.strip_prefix(b"#!") {
        return add_interpreters(archive, path, line, depth);
    }
    add_needs(archive, path, &contents)
}

/// Adds the ELF executable `host` of the host as `path`, with the shared libraries that it needs.
///
/// # Errors
/// As [`program`].
pub fn program_as(archive: &mut Archive, host: &Path, path: &str) -> Result<(), PackError> {
    let read = |source| PackError::Read { path: host.into(), source };
    let contents = std::fs::read(host).map_err(read)?;
    archive.file(path, 0o755, contents.clone())?;
    add_needs(archive, host, &contents)
}

fn add_needs(archive: &mut Archive, path: &Path, contents: &[u8]) -> Result<(), PackError> {
    let loading = elf::parse(path, contents)?;
    if let Some(interpreter) = &loading.interpreter {
        host::add(archive, Path::new(interpreter)).map_err(|_| PackError::Missing {
            needed_by: path.into(),
            needed: interpreter.clone(),
            hint: "install the C library that it was built for",
        })?;
    }
    // For `$ORIGIN` the loader takes the executable's path with its links resolved.
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
    libraries::add(archive, &real, loading)
}

/// Adds what a `#!` line names: the interpreter, and for env(1) the program that env looks up.
fn add_interpreters(
    archive: &mut Archive,
    script: &Path,
    line: &[u8],
    depth: u32,
) -> Result<(), PackError> {
    let line = &line[..line.len().min(SCRIPT_LINE)];
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_whitespace();
    let depth = depth.checked_sub(1);
    let (Some(interpreter), Some(depth)) = (words.next(), depth) else {
        return Err(PackError::NotAProgram {
            path: script.into(),
            reason: "its #! line leads to no interpreter".into(),
        });
    };
    let missing = |needed: &str| PackError::Missing {
        needed_by: script.into(),
        needed: needed.to_owned(),
        hint: "install the interpreter",
    };
    let path = host::find(interpreter).map_err(|_| missing(interpreter))?;
    add(archive, &path, depth)?;
    if path.file_name().is_some_and(|name| name == "env") {
        let is_program = |word: &&str| !word.starts_with('-') && !word.contains('=');
        if let Some(name) = words.find(is_program) {
            let path = host::find(name).map_err(|_| missing(name))?;
            add(archive, &path, depth)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;

    fn script(directory: &TempDir, name: &str, text: &str) -> String {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn packed(name: &str) -> Archive {
        let mut archive = Archive::new();
        program(&mut archive, name).unwrap();
        archive
    }

    /// Every object that the loader itself says it would use for `path`, by its resolved path.
    fn loader_says(path: &Path) -> Vec<PathBuf> {
        let output = Command::new("ldd").arg(path).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let paths = text.lines().filter_map(|line| {
            let line = line.split(" (0x").next()?;
            let path = line.rsplit("=> ").next()?.trim();
            path.starts_with('/').then(|| fs::canonicalize(path).unwrap())
        });
        paths.collect()
    }

    #[test]
    fn what_the_loader_would_use_is_packed() {
        // Dynamic programs of any Linux host, from few libraries to many.
        for name in ["ls", "bash", "tar", "python3", "perl", "git", "ssh"] {
            let Ok(path) = host::find(name) else { continue };
            let archive = packed(name);
            for library in loader_says(&path) {
                assert!(
                    archive.contains(library.to_str().unwrap()),
                    "{name}: {}",
                    library.display()
                );
            }
        }
    }

    #[test]
    fn the_link_that_names_a_program_leads_to_it() {
        let directory = tempfile::tempdir().unwrap();
        let real = script(&directory, "real", "#!/bin/sh\n");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("real", &link).unwrap();
        let archive = packed(link.to_str().unwrap());
        assert!(archive.contains(link.to_str().unwrap()));
        assert!(archive.contains(&real));
    }

    #[test]
    fn a_script_brings_its_interpreter() {
        let directory = tempfile::tempdir().unwrap();
        assert!(packed(&script(&directory, "a", "#! /bin/sh -e\n")).contains("/bin/sh"));
        let archive = packed(&script(&directory, "b", "#!/usr/bin/env -S bash -e\n"));
        let bash = host::find("bash").unwrap();
        assert!(archive.contains("/usr/bin/env"));
        assert!(archive.contains(bash.to_str().unwrap()));
    }

    #[test]
    fn what_a_script_lacks_is_named() {
        let directory = tempfile::tempdir().unwrap();
        for line in ["#!/nonexistent/interpreter\n", "#!/usr/bin/env nonexistent\n"] {
            let path = script(&directory, "script", line);
            let error = program(&mut Archive::new(), &path).unwrap_err();
            assert!(matches!(error, PackError::Missing { .. }), "{error}");
        }
    }

    #[test]
    fn scripts_that_interpret_each_other_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("loop");
        let path = script(&directory, "loop", &format!("#!{}\n", path.display()));
        // Packed once; the kernel refuses it with ELOOP when it is run.
        assert!(packed(&path).contains(&path));
    }

    #[test]
    fn what_is_no_program_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for text in ["", "text", "#!", "#!\n", "\x7fELF"] {
            let path = script(&directory, "file", text);
            let error = program(&mut Archive::new(), &path).unwrap_err();
            assert!(matches!(error, PackError::NotAProgram { .. }), "{text:?}: {error}");
        }
    }
}
