//! Why a module could not be built.

use std::io;
use std::path::PathBuf;

use super::output::first_error;
use crate::kernel::toolchain::ToolchainError;
use crate::kernel::{CacheError, ProcessError};

/// Why a module could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleBuildError {
    /// The compiler refused the source.
    #[error("module {name} does not compile: {}", first_error(output))]
    Compile {
        /// The module.
        name: String,
        /// What the compilers said, as they said it.
        output: String,
    },
    /// It uses what the kernel does not export.
    #[error(
        "module {name} uses symbols that this kernel does not export to modules: {}",
        symbols.join(", ")
    )]
    MissingSymbols {
        /// The module.
        name: String,
        /// The symbols.
        symbols: Vec<String>,
        /// What modpost said.
        output: String,
    },
    /// No headers to build against.
    #[error(
        "kernel {release} came without what modules are built against (lib/modules/{release}/build): \
         name its build tree, install its headers, or use a kernel from `kharness kernel build`"
    )]
    NoDevel {
        /// Release of the kernel.
        release: String,
    },
    /// A Rust module for a kernel without Rust.
    #[error(
        "module {name} is written in Rust, and kernel {release} is built without CONFIG_RUST: \
         use one from `kharness kernel build`"
    )]
    NoRust {
        /// The module.
        name: String,
        /// Release of the kernel.
        release: String,
    },
    /// The headers of a Rust kernel lack its compiled crates, as those of distributions do.
    #[error(
        "{} lacks the kernel's compiled Rust crates (rust/libkernel.rmeta): name the kernel's \
         build tree, or use one from `kharness kernel build`",
        devel.display()
    )]
    NoMetadata {
        /// What there is to build against.
        devel: PathBuf,
    },
    /// The kernel's crates were compiled by another compiler.
    #[error(
        "the kernel was built with {kernel}, and there is {}: a module needs the very same \
         compiler; put it first on PATH, or build the kernel again", found.join(" and ")
    )]
    OtherCompiler {
        /// The kernel's compiler.
        kernel: String,
        /// The compilers at hand.
        found: Vec<String>,
    },
    /// A directory that is no module.
    #[error("{} holds neither {name}.rs nor a Kbuild or Makefile: it is no module", dir.display())]
    NotAModule {
        /// The directory.
        dir: PathBuf,
        /// The module's name.
        name: String,
    },
    /// The build made modules, but none of the directory's name.
    #[error("building {} made no {name}.ko, but {}", dir.display(), made(found))]
    OtherName {
        /// The directory.
        dir: PathBuf,
        /// The module's name.
        name: String,
        /// The modules that were made.
        found: Vec<String>,
    },
    /// make splits words at blanks.
    #[error("make cannot work on {}: move it to a path without blanks, $, #, : and %", path.display())]
    Path {
        /// The path.
        path: PathBuf,
    },
    /// A name that the kernel would not take.
    #[error(
        "{name:?} is no name for a module: a letter, then up to 54 letters, digits and underscores"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// There is one already.
    #[error("{} is there already", path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A compiler cannot be had.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// make cannot be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

impl ModuleBuildError {
    pub(super) fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }

    /// What the compilers said, where it was they who refused.
    #[must_use]
    pub fn output(&self) -> Option<&str> {
        match self {
            Self::Compile { output, .. } | Self::MissingSymbols { output, .. } => Some(output),
            _ => None,
        }
    }
}

fn made(found: &[String]) -> String {
    if found.is_empty() { "no module at all".into() } else { found.join(", ") }
}
