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
        "`{path}` is neither a snapshot directory nor an ELF vmcore (offset 0: {found}); for a raw RAM \
         dump give its registers, too"
    )]
    Unknown {
        /// The file.
        path: PathBuf,
        /// Its first bytes, printed.
        found: String,
    },
    /// A compressed kdump file.
    #[error(
        "`{path}` is a compressed kdump file (offset 0), which is not read here; write an ELF file: \
         `makedumpfile -E -d 0 /proc/vmcore OUT`, or QEMU's dump-guest-memory without a format"
    )]
    Compressed {
        /// The file.
        path: PathBuf,
    },
    /// An ELF file that is no vmcore, or a damaged one.
    #[error("`{path}`, offset {offset:#x}: {reason}")]
    Elf {
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
