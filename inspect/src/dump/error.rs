//! What can be wrong with a dump.

use std::path::PathBuf;

use crate::memory::MemoryError;

/// Why a snapshot, vmcore or raw dump could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The host failed.
    #[error("cannot {action} `{path}`: {source}")]
    Io {
        /// What was tried: `open`, `read`, `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The host's words.
        source: std::io::Error,
    },
    /// A file that is none of the formats we read.
    #[error(
        "`{path}` is neither a snapshot directory nor a vmcore (offset 0: {found}); for a raw RAM \
         dump give its registers, too"
    )]
    Unknown {
        /// The file.
        path: PathBuf,
        /// Its first bytes, printed.
        found: String,
    },
    /// A kdump file in pieces, as it comes through a pipe.
    #[error(
        "`{path}` is a flattened kdump file (offset 0), which cannot be read in place; put it together: \
         `makedumpfile -R OUT < IN`"
    )]
    Flattened {
        /// The file.
        path: PathBuf,
    },
    /// A file that is no vmcore, or a damaged one.
    #[error("`{path}`, offset {offset:#x}: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A manifest that is not valid.
    #[error("`{path}`: {source}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Line, column and what was expected.
        source: serde_json::Error,
    },
    /// A manifest of another version, or one that contradicts its files.
    #[error("`{path}`: {reason}")]
    Snapshot {
        /// The file that is wrong.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// Guest memory that makes no sense.
    #[error("`{path}`: {source}")]
    Memory {
        /// The file that holds guest memory.
        path: PathBuf,
        /// What is wrong with it.
        source: MemoryError,
    },
}
