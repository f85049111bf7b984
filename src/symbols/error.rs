//! Why symbols could not be had.

use std::io;

/// Why symbols could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SymbolsError {
    /// The file is not there, or not readable.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// As given.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// It is no ELF file with symbols.
    #[error(
        "`{path}` is no vmlinux with symbols: {why}; give the uncompressed vmlinux of the kernel's build"
    )]
    NoSymbols {
        /// As given.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// It has symbols, but no debugging information.
    #[error("`{path}` has no debugging information (DWARF): {why}; build with CONFIG_DEBUG_INFO")]
    NoDwarf {
        /// As given.
        path: String,
        /// What is wrong.
        why: String,
    },
}
