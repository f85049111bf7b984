//! Why a kernel could not be built.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::super::config::Value;
use super::super::debian::FetchError;
use super::super::process::ProcessError;
use super::super::toolchain::ToolchainError;
use super::super::{Arch, CacheError};

/// Why a kernel could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A line of a configuration fragment that is no setting.
    #[error(
        "{file}:{line}: {text:?} sets nothing; write CONFIG_X=value, # CONFIG_X is not set, or a comment"
    )]
    BadFragment {
        /// The fragment.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What it holds.
        text: String,
    },

    /// A profile that makes no sense on an architecture.
    #[error("the profile {profile} is not for {arch}; `fast` and `debug` are")]
    NotForArch {
        /// The profile.
        profile: &'static str,
        /// The architecture.
        arch: Arch,
    },

    /// A fragment or configuration that cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    UnreadableConfig {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// Symbols that Kconfig did not give the requested value.
    #[error("the configuration cannot be had from this source:\n{}", listed(symbols))]
    Unhonoured {
        /// Each such symbol.
        symbols: Vec<Unhonoured>,
    },

    /// A source that is no kernel source.
    #[error("{} is no kernel source: it has no {missing}; give `debian`, a kernel tarball, or a source tree", path.display())]
    NotASource {
        /// The directory, or what was unpacked from the tarball.
        path: PathBuf,
        /// What it lacks.
        missing: &'static str,
    },

    /// No package with the kernel's source.
    #[error(
        "the suite {suite} of Debian's archive has no linux-source package; give a tarball or a source tree with --source"
    )]
    NoSourcePackage {
        /// The suite.
        suite: &'static str,
    },

    /// make failed.
    #[error("`make {targets}` failed; the objects are kept in {}\n{output}", objects.display())]
    Make {
        /// What was made.
        targets: String,
        /// The output directory.
        objects: PathBuf,
        /// The end of what it said.
        output: String,
    },

    /// Rust's idea of a structure differs from C's.
    #[error(
        "Rust and C disagree on the layout of {}: a Rust module would read wrong fields. \
         Change the configuration (an empty structure with an alignment is the usual cause)",
        types.join(", ")
    )]
    Layout {
        /// The C structures.
        types: Vec<String>,
    },

    /// A build that left no usable result.
    #[error("the build left no {what} in {}", objects.display())]
    Incomplete {
        /// What is missing.
        what: &'static str,
        /// The output directory.
        objects: PathBuf,
    },

    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// The compilers are not there.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),

    /// A package could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),

    /// A program failed.
    #[error(transparent)]
    Process(#[from] ProcessError),

    /// The cache is unusable.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl BuildError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull => Self::Cache(CacheError::io(path, source)),
            _ => Self::Io { path: path.into(), source },
        }
    }
}

/// A symbol that Kconfig did not give the requested value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unhonoured {
    /// The symbol, without `CONFIG_`.
    pub symbol: String,
    /// What was requested.
    pub requested: Value,
    /// What it became.
    pub actual: Value,
    /// Where it was requested: fragment and line.
    pub origin: String,
    /// What the Kconfig files say of it.
    pub why: String,
}

impl fmt::Display for Unhonoured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { symbol, requested, actual, origin, why } = self;
        write!(f, "  {origin}: CONFIG_{symbol}={requested} became {actual}: {why}")
    }
}

fn listed(symbols: &[Unhonoured]) -> String {
    symbols.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
