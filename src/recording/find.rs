//! Finds the recording that is meant.

use std::fs;
use std::path::{Path, PathBuf};

use super::RecordingError;
use super::manifest::FILE;
use super::store::DIRECTORY;

/// Directories below a run's: parts of a test's id, and the recording.
const DEEPEST: usize = 8;

/// The recording in `path`: it is one, or is the directory of a test or run that has exactly one.
///
/// # Errors
/// When there is none, or more than one.
pub fn find(path: &Path) -> Result<PathBuf, RecordingError> {
    if path.join(FILE).is_file() {
        return Ok(path.to_owned());
    }
    let mut found = Vec::new();
    below(path, DEEPEST, &mut found);
    found.sort();
    match found.len() {
        0 => Err(RecordingError::None { path: path.to_owned() }),
        1 => Ok(found.remove(0)),
        _ => Err(RecordingError::Several { path: path.to_owned(), found }),
    }
}

fn below(path: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        // Symbolic links are not followed: they may lead in circles.
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let path = entry.path();
        if entry.file_name() == DIRECTORY && path.join(FILE).is_file() {
            found.push(path);
        } else {
            below(&path, depth, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(dir: &Path, test: &str) -> PathBuf {
        let path = dir.join(test).join(DIRECTORY);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join(FILE), "").unwrap();
        path
    }

    #[test]
    fn the_only_recording_of_a_run_is_meant_and_several_are_told() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(find(dir.path()), Err(RecordingError::None { .. })));
        let one = recording(dir.path(), "a/b");
        for path in [dir.path(), &dir.path().join("a/b"), &one] {
            assert_eq!(find(path).unwrap(), one);
        }
        let other = recording(dir.path(), "a/c");
        let words = find(dir.path()).unwrap_err().to_string();
        assert!(words.contains(&one.display().to_string()), "{words}");
        assert!(words.contains(&other.display().to_string()), "{words}");
    }
}
