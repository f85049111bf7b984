//! Why there are no programs for another architecture.

use std::io;
use std::path::{Path, PathBuf};

use crate::kernel::debian::FetchError;
use crate::kernel::toolchain::ToolchainError;
use crate::kernel::{Arch, CacheError, ProcessError};

/// Why a guest of another architecture cannot be given its programs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForeignError {
    /// The agent cannot be compiled here.
    #[error("building the agent for {arch} needs {what}: {hint}")]
    Missing {
        /// The guest's architecture.
        arch: Arch,
        /// What is missing.
        what: String,
        /// How it is had.
        hint: String,
    },
    /// The compiler refused.
    #[error("building the agent for {arch} failed: {source}")]
    Build {
        /// The guest's architecture.
        arch: Arch,
        /// What cargo said.
        source: ProcessError,
    },
    /// busybox is not what it should be.
    #[error("{}: {reason}", path.display())]
    Busybox {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A compiler is not there.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// A package could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The cache is unusable.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl ForeignError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }
}
