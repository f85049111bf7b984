//! Entries in the making.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;
use walkdir::WalkDir;

use super::{CacheError, Entry};

/// A directory that becomes a cache entry when it is complete, and vanishes otherwise.
#[derive(Debug)]
pub struct Staging {
    dir: TempDir,
    /// The directory, locked: the lock tells that its maker lives.
    _alive: File,
}

impl Staging {
    /// A new, empty directory under `parent`, on the same file system as the entries. The caller
    /// holds the lock of the staging directory, so that nobody takes the new one for an orphan.
    pub(super) fn create(parent: &Path) -> Result<Self, CacheError> {
        let error = |e| CacheError::io(parent, e);
        let dir = TempDir::new_in(parent).map_err(error)?;
        let alive = File::open(dir.path()).map_err(error)?;
        alive.lock().map_err(error)?;
        Ok(Self { dir, _alive: alive })
    }

    /// Where to put the entry's files.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes `entry.json`, and puts the directory at `target`.
    pub(super) fn commit(
        self,
        mut entry: Entry,
        target: &Path,
        parent: &Path,
    ) -> Result<Entry, CacheError> {
        entry.size = size_of(self.path());
        entry.dir = target.into();
        self.describe(&entry)?;
        self.place(target, parent)?;
        Ok(entry)
    }

    /// Renames the directory to `target`. What was there before goes to `parent` first and is then
    /// removed, so that no reader ever sees half of it.
    pub(super) fn place(self, target: &Path, parent: &Path) -> Result<(), CacheError> {
        // TempDir creates it for its owner only; another user may share the cache to read.
        fs::set_permissions(self.path(), fs::Permissions::from_mode(0o755))
            .map_err(|e| CacheError::io(self.path(), e))?;
        let old = retire(target, parent)?;
        let staged = self.dir.keep();
        fs::rename(&staged, target).map_err(|e| CacheError::io(target, e))?;
        drop(old);
        Ok(())
    }

    fn describe(&self, entry: &Entry) -> Result<(), CacheError> {
        let path = self.path().join("entry.json");
        let text = serde_json::to_vec_pretty(entry).map_err(|e| CacheError::io(&path, e.into()))?;
        let mut file = File::create(&path).map_err(|e| CacheError::io(&path, e))?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(|e| CacheError::io(&path, e))
    }
}

/// Removes what processes that were killed left in `parent`: directories that nobody holds locked.
/// Best effort: what cannot be removed now is tried again next time.
pub(super) fn remove_orphans(parent: &Path) {
    let Ok(listing) = fs::read_dir(parent) else { return };
    for path in listing.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()) {
        if File::open(&path).is_ok_and(|dir| dir.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// Moves the entry at `target`, if there is one, into a directory that removes it when dropped.
pub(super) fn retire(target: &Path, parent: &Path) -> Result<Option<TempDir>, CacheError> {
    if !target.exists() {
        return Ok(None);
    }
    let grave = TempDir::new_in(parent).map_err(|e| CacheError::io(parent, e))?;
    fs::rename(target, grave.path().join("old")).map_err(|e| CacheError::io(target, e))?;
    Ok(Some(grave))
}

/// Sum of the sizes of the files under `dir`, in bytes.
fn size_of(dir: &Path) -> u64 {
    WalkDir::new(dir)
        .into_iter()
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .filter(fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum()
}
