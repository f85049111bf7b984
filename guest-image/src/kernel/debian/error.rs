//! Why a package could not be fetched.

use std::io;

use super::super::CacheError;

/// Why a package could not be fetched from the distribution.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// A program of Debian's package management is missing.
    #[error(
        "{program} is not there: fetching Debian's kernel needs a Debian-like system with apt and dpkg; \
         elsewhere give a kernel with -k (a build tree, a bzImage, a vmlinux, or `host`)"
    )]
    NoTool {
        /// The program.
        program: &'static str,
    },

    /// A package that no configured source has.
    #[error(
        "no configured package source has {package:?}; check /etc/apt/sources.list.d \
         (Debian's `main` is enough), or give a kernel with -k"
    )]
    NoPackage {
        /// The package.
        package: String,
    },

    /// The mirrors cannot be reached.
    #[error(
        "cannot reach the package mirror: {detail}; check the network and the proxy settings, and try again"
    )]
    NoNetwork {
        /// What apt said.
        detail: String,
    },

    /// The file system is full.
    #[error(
        "no space left in the cache; free some (`kharness kernel list` shows what it holds), or set KHARNESS_CACHE to another disk"
    )]
    DiskFull,

    /// A program failed in any other way.
    #[error("{command} failed ({status}): {stderr}")]
    Failed {
        /// The command, as a shell would take it.
        command: String,
        /// How it ended.
        status: String,
        /// The end of what it said.
        stderr: String,
    },

    /// A program could not be started.
    #[error("cannot run {program}: {source}")]
    Run {
        /// The program.
        program: &'static str,
        /// What the system said.
        source: io::Error,
    },

    /// A package that holds no kernel.
    #[error(
        "the package {package} holds no {what}; this is a fault of the package, or a kind of package not known here"
    )]
    BadPackage {
        /// The package.
        package: String,
        /// What was looked for.
        what: String,
    },

    /// The cache is unusable.
    #[error(transparent)]
    Cache(#[from] CacheError),
}
