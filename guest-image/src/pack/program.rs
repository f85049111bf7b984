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
    let loading = elf::parse(path, &contents)?;
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
