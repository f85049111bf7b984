//! Why an image cannot be made.

use std::io;
use std::path::PathBuf;

use crate::initramfs::ArchiveError;
use crate::kernel::ModuleError;
use crate::pack::PackError;

/// Why an image cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A file that goes into the image cannot be read.
    #[error("cannot read {path} for the guest's image: {source}")]
    Read {
        /// File on the host.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An archive cannot be written.
    #[error("cannot write the guest's image {path}: {source}")]
    Write {
        /// File on the host.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Neither a file, a directory nor a symbolic link.
    #[error("{path} is neither a file nor a directory, so it cannot go into the guest's image")]
    Special {
        /// File on the host.
        path: PathBuf,
    },
    /// A name that is not UTF-8.
    #[error("the name of {path} is not UTF-8, so it cannot go into the guest's image")]
    Name {
        /// File on the host.
        path: PathBuf,
    },
    /// A module cannot be read.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// A program cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// An entry does not fit into the archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}
