//! Locks between processes that share the cache.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::super::Progress;
use super::CacheError;

/// An exclusive lock; it ends with the value or with the process, whichever way that ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of `path`, waiting for whoever holds it.
    pub(super) fn take(path: &Path, progress: &dyn Progress) -> Result<Self, CacheError> {
        let file = File::create(path).map_err(|e| CacheError::io(path, e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress.stage("waiting for another kharness that does the same");
                file.lock().map_err(|e| CacheError::io(path, e))?;
            }
            Err(TryLockError::Error(e)) => return Err(CacheError::io(path, e)),
        }
        Ok(Self { _file: file })
    }
}
