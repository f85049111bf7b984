//! What a run needs on other machines, by the hash of its content: what is there already does not
//! travel again.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Hexadecimal digits of a hash that name an object.
const DIGITS: usize = 32;

/// Why something cannot be bundled.
#[derive(Debug, thiserror::Error)]
#[error("cannot bundle {path}: {error}")]
pub struct BundleError {
    path: PathBuf,
    error: io::Error,
}

impl BundleError {
    /// Of a path.
    pub fn new(path: &Path, error: io::Error) -> Self {
        Self { path: path.to_owned(), error }
    }
}

/// Files below a directory, to be kept as they are.
pub struct Files {
    root: PathBuf,
    /// Relative to `root`, sorted.
    names: Vec<PathBuf>,
}

impl Files {
    /// One file.
    pub fn one(path: &Path) -> Self {
        let root = path.parent().unwrap_or(Path::new(".")).to_owned();
        Self { root, names: path.file_name().map(PathBuf::from).into_iter().collect() }
    }

    /// The files below `root` that `wanted` takes; it is given relative paths. Links to directories,
    /// such as to a kernel's sources, are not followed.
    ///
    /// # Errors
    /// When a directory cannot be read.
    pub fn below(root: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Self, BundleError> {
        let mut names = Vec::new();
        for entry in walkdir::WalkDir::new(root).sort_by_file_name() {
            let entry = entry.map_err(|error| BundleError::new(root, error.into()))?;
            let name = entry.path().strip_prefix(root).unwrap_or(entry.path());
            if entry.path().is_file() && wanted(name) {
                names.push(name.to_owned());
            }
        }
        Ok(Self { root: root.to_owned(), names })
    }

    /// Puts the files into `store`, unless they are there. Gives their directory, which is named
    /// after their content.
    ///
    /// # Errors
    /// When something cannot be read or written.
    pub fn store(&self, store: &Path) -> Result<PathBuf, BundleError> {
        let object = store.join(self.hash()?);
        if object.is_dir() {
            return Ok(object);
        }
        let partial = store.join(format!(".partial-{}", std::process::id()));
        for name in &self.names {
            self.copy(name, &partial)?;
        }
        match fs::rename(&partial, &object) {
            Ok(()) => Ok(object),
            // Somebody else was faster with the same content.
            Err(_) if object.is_dir() => {
                let _ = fs::remove_dir_all(&partial);
                Ok(object)
            }
            Err(error) => Err(BundleError::new(&object, error)),
        }
    }

    fn hash(&self) -> Result<String, BundleError> {
        let mut all = Sha256::new();
        for name in &self.names {
            let path = self.root.join(name);
            let one = digest(&path).map_err(|error| BundleError::new(&path, error))?;
            all.update(name.to_string_lossy().as_bytes());
            all.update([0]);
            all.update(one);
        }
        let hash: String = all.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(hash[..DIGITS].to_owned())
    }

    fn copy(&self, name: &Path, to: &Path) -> Result<(), BundleError> {
        let (from, to) = (self.root.join(name), to.join(name));
        let made = to.parent().map_or(Ok(()), fs::create_dir_all);
        let copied = made.and_then(|()| fs::copy(&from, &to));
        copied.map(drop).map_err(|error| BundleError::new(&from, error))
    }
}

/// SHA-256 of a file.
fn digest(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = BufReader::with_capacity(1 << 18, File::open(path)?);
    let mut hash = Sha256::new();
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Ok(hash.finalize().to_vec());
        }
        hash.update(bytes);
        let taken = bytes.len();
        file.consume(taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_content_is_stored_once_and_other_content_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let (from, store) = (dir.path().join("from"), dir.path().join("store"));
        fs::create_dir_all(from.join("a")).unwrap();
        fs::write(from.join("a/file"), "text").unwrap();
        let stored = || Files::below(&from, |_| true).unwrap().store(&store).unwrap();
        let first = stored();
        assert_eq!(fs::read_to_string(first.join("a/file")).unwrap(), "text");
        assert_eq!(stored(), first);
        fs::write(from.join("a/file"), "other").unwrap();
        assert_ne!(stored(), first);
        assert_eq!(fs::read_dir(&store).unwrap().count(), 2);
    }
}
