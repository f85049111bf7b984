//! Why the cache could not be used.

use std::io;
use std::path::{Path, PathBuf};

/// Why something could not be read from or put into the cache.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The environment names no place for the cache.
    #[error(
        "no place for the cache: none of KHARNESS_CACHE, XDG_CACHE_HOME and HOME is set to an absolute path"
    )]
    NoPlace,

    /// The file system is full.
    #[error("no space left for {}; free some (`kharness kernel list` shows what the cache holds), or set KHARNESS_CACHE to another disk", path.display())]
    Full {
        /// What was being written.
        path: PathBuf,
    },

    /// The file system has too little room for what is to be put there.
    #[error(
        "{} has {} MiB free, but this needs about {} MiB; free some (`kharness kernel list` shows \
         what the cache holds), or set KHARNESS_CACHE to another disk",
        path.display(), free >> 20, needed >> 20
    )]
    TooSmall {
        /// The cache.
        path: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that are needed.
        needed: u64,
    },

    /// Any other failure to read or write.
    #[error("cannot use the cache: {}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// An entry's description cannot be read.
    #[error("the cache entry {} is damaged: {what}; remove it with `kharness kernel rm {name}`", path.display())]
    Damaged {
        /// The entry's name.
        name: String,
        /// The damaged file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },

    /// No entry has this name.
    #[error("the cache holds no kernel {name:?}; it holds {}", held(known))]
    NoEntry {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
}

impl CacheError {
    /// The error for a failed operation on `path`.
    pub(in super::super) fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full { path: path.into() }
            }
            _ => Self::Io { path: path.into(), source },
        }
    }
}

fn held(known: &[String]) -> String {
    if known.is_empty() { "none".into() } else { known.join(", ") }
}
