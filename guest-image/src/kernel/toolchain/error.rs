//! Why there are no compilers.

use super::super::CacheError;
use super::super::debian::FetchError;
use super::super::process::ProcessError;

/// Why a kernel cannot be built on this host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolchainError {
    /// Programs or headers that the kernel's build needs are missing.
    #[error("building a kernel needs {}; on Debian: `apt-get install {}`", missing.join(", "), packages.join(" "))]
    MissingHostTools {
        /// What is missing.
        missing: Vec<String>,
        /// The Debian packages that have it.
        packages: Vec<String>,
    },

    /// No Rust toolchain for kernels is there, and none can be fetched.
    #[error(
        "no Rust toolchain for kernels: {reason}. Either put one on PATH (`rustup component add rust-src` \
         and `cargo install bindgen-cli`, with libclang installed), or build a kernel without Rust"
    )]
    NoRust {
        /// Why it could not be set up.
        reason: String,
    },

    /// No clang is there that is new enough, and none can be fetched.
    #[error(
        "no clang for kernels: the host's package sources have no clang of version {oldest} or newer. Either put \
         clang, lld and llvm on PATH, or leave one of RUST and KASAN out of the configuration"
    )]
    NoClang {
        /// The oldest that kernels take.
        oldest: u32,
    },

    /// No QEMU newer than the host's.
    #[error(
        "{suite} has no qemu-system-arm: install a newer QEMU, and name it with KHARNESS_QEMU_AARCH64"
    )]
    NoQemu {
        /// The suite that was looked at.
        suite: String,
    },

    /// The packages could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),

    /// A program failed.
    #[error(transparent)]
    Process(#[from] ProcessError),

    /// The cache is unusable.
    #[error(transparent)]
    Cache(#[from] CacheError),
}
