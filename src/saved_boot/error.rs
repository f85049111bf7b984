//! Why a saved boot is refused.

use std::io;
use std::path::PathBuf;

use inspect::dump::DumpError;

/// Why a saved boot is refused, or cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum SavedBootError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The host's words.
        source: io::Error,
    },
    /// Its manifest is none, or of another version.
    #[error(transparent)]
    Manifest(#[from] DumpError),
    /// A snapshot to look into.
    #[error(
        "{}: a snapshot that can be looked into but not run, for it has no {file}: \
         `kharness run --save-boot` writes those that can",
        path.display()
    )]
    NoState {
        /// The directory.
        path: PathBuf,
        /// What it lacks.
        file: &'static str,
    },
    /// A file is not what was saved.
    #[error("{}: {how}; save the boot again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// In which way.
        how: String,
    },
    /// It is another guest's.
    #[error("the boot saved in {} is not that of {test}: {why}; save it again, or leave `--from` out", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// A test that was to be a copy of it.
        test: String,
        /// What differs.
        why: String,
    },
    /// A directory that has something in it.
    #[error("{}: there is something in it already: remove it first, or name another directory", path.display())]
    Occupied {
        /// The directory.
        path: PathBuf,
    },
}
