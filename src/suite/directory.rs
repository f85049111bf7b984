//! Where a run leaves everything that it saw.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::results::digest;

/// Runs kept in the default place; the oldest make room.
const KEPT: usize = 50;

/// Bytes of a file's name that leave room for a digest and the number of an attempt.
const LONGEST_NAME: usize = 200;

/// The directory of one run.
#[derive(Debug, Clone)]
pub struct RunDir {
    /// Name of the run.
    pub id: String,
    /// The directory.
    pub path: PathBuf,
}

impl RunDir {
    /// A new directory: `chosen` itself, or one named after the run below the user's state
    /// directory (XDG Base Directory Specification).
    ///
    /// # Errors
    /// When it cannot be made; the words name it.
    pub fn create(chosen: Option<&Path>, started: DateTime<Utc>) -> io::Result<Self> {
        let id = format!("{}-{}", started.format("%Y%m%d-%H%M%S"), std::process::id());
        let path = match chosen {
            Some(path) => path.to_owned(),
            None => {
                let runs = default_place()?;
                make_room(&runs);
                runs.join(&id)
            }
        };
        fs::create_dir_all(&path).map_err(|error| named(&error, &path))?;
        let path = fs::canonicalize(&path).map_err(|error| named(&error, &path))?;
        Ok(Self { id, path })
    }

    /// A fresh directory for one attempt of a test.
    ///
    /// # Errors
    /// When it cannot be made; the words name it.
    pub fn attempt(&self, test: &str, attempt: usize) -> io::Result<PathBuf> {
        let test = short(test);
        let name = if attempt == 1 { test } else { format!("{test}.{attempt}") };
        let path = self.path.join(name);
        if path.exists() {
            fs::remove_dir_all(&path).map_err(|error| named(&error, &path))?;
        }
        fs::create_dir_all(&path).map_err(|error| named(&error, &path))?;
        Ok(path)
    }
}

/// A test's id as a path. The last part of it names the cell, and may be longer than a file's name may be
/// (NAME_MAX in limits.h); then a digest of all of it stands for what is cut off.
fn short(test: &str) -> String {
    let last = test.rfind('/').map_or(0, |slash| slash + 1);
    if test.len() - last <= LONGEST_NAME {
        return test.to_owned();
    }
    let end = test.floor_char_boundary(last + LONGEST_NAME);
    format!("{}~{}", &test[..end], digest([test].into_iter()))
}

/// Writes a file of a run.
///
/// # Errors
/// When it cannot be written; the words name it.
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    fs::write(path, contents).map_err(|error| named(&error, path))
}

fn named(error: &io::Error, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()))
}

/// Where runs are kept when nothing says otherwise.
///
/// # Errors
/// When the user has no home.
pub fn default_place() -> io::Result<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    let place = state.ok_or_else(|| {
        io::Error::other("no place for results: set HOME or XDG_STATE_HOME, or give --run-dir")
    })?;
    Ok(place.join("kharness/runs"))
}

/// Removes the oldest runs. Names begin with the time, so they sort by age.
fn make_room(runs: &Path) {
    let Ok(listing) = fs::read_dir(runs) else { return };
    let mut old: Vec<PathBuf> = listing.flatten().map(|entry| entry.path()).collect();
    old.sort();
    let surplus = (old.len() + 1).saturating_sub(KEPT);
    for path in &old[..surplus.min(old.len())] {
        // Another harness may be at the same; what stays now goes next time.
        let _ = fs::remove_dir_all(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_has_a_directory_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::create(Some(dir.path()), Utc::now()).unwrap();
        let first = run.attempt("oom/global", 1).unwrap();
        let second = run.attempt("oom/global", 2).unwrap();
        assert!(first.ends_with("oom/global") && first.is_dir());
        assert!(second.ends_with("oom/global.2") && second.is_dir());
    }

    #[test]
    fn a_cell_with_a_long_name_has_a_directory_too() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::create(Some(dir.path()), Utc::now()).unwrap();
        let id = |value: &str| format!("a/b[cmdline={}{value}]", "ä".repeat(200));
        let paths = ["1", "2"].map(|value| run.attempt(&id(value), 2).unwrap());
        assert!(paths[0] != paths[1] && paths[0].is_dir() && paths[1].is_dir());
        assert!(paths[0].parent().unwrap().ends_with("a"));
    }

    #[test]
    fn the_oldest_runs_make_room() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..KEPT + 5 {
            fs::create_dir(dir.path().join(format!("2026-{number:03}"))).unwrap();
        }
        make_room(dir.path());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), KEPT - 1);
        assert!(!dir.path().join("2026-005").exists());
        assert!(dir.path().join(format!("2026-{:03}", KEPT + 4)).exists());
    }
}
