//! Files of the host that go into the guest at the same path.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::initramfs::Archive;
use crate::pack::PackError;

/// Where Debian keeps programs that an ordinary user's `PATH` does not name.
const SYSTEM: &str = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin";

/// A program of the host by name, or by path if `name` has a slash.
pub fn find(name: &str) -> Result<PathBuf, PackError> {
    if name.contains('/') {
        let path = PathBuf::from(name);
        return fs::canonicalize(&path)
            .and_then(|_| std::path::absolute(&path))
            .map_err(|source| PackError::Read { path, source });
    }
    let searched = format!("{}:{SYSTEM}", env::var("PATH").unwrap_or_default());
    env::split_paths(&searched)
        .map(|directory| directory.join(name))
        .find(|path| path.is_absolute() && is_executable(path))
        .ok_or(PackError::NotFound { name: name.to_owned(), searched })
}

fn is_executable(path: &Path) -> bool {
    let metadata = fs::metadata(path);
    metadata.is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Adds the file at `path`. If symbolic links lead there, it goes where they end, and `path` is
/// one link to it: the guest has no other links for the path to pass through. Gives the contents,
/// or `None` if the archive had it already.
pub fn add(archive: &mut Archive, path: &Path) -> Result<Option<Vec<u8>>, PackError> {
    let read = |source| PackError::Read { path: path.into(), source };
    let real = fs::canonicalize(path).map_err(read)?;
    let (name, real_name) = (utf8(path)?, utf8(&real)?);
    if name != real_name {
        archive.symlink(name, real_name)?;
    }
    if archive.contains(real_name) {
        return Ok(None);
    }
    let permissions = fs::metadata(&real).map_err(read)?.permissions().mode();
    let contents = fs::read(&real).map_err(read)?;
    archive.file(real_name, permissions, contents.clone())?;
    Ok(Some(contents))
}

fn utf8(path: &Path) -> Result<&str, PackError> {
    path.to_str().ok_or_else(|| PackError::NotAProgram {
        path: path.into(),
        reason: "its name is not UTF-8".into(),
    })
}
