//! What can go wrong with a kernel.

use crate::dump::DumpError;
use crate::memory::MemoryError;
use crate::symbols::SymbolError;
use crate::types::TypeError;

/// Why the state of a kernel could not be given.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The dump.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// Guest memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// Symbols.
    #[error(transparent)]
    Symbol(#[from] SymbolError),
    /// Types.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// There is no kernel in this memory, or not yet.
    #[error("no Linux kernel found in guest memory: {reason}")]
    NoKernel {
        /// What was looked for and not found.
        reason: String,
    },
    /// The kernel was built without something that inspection needs.
    #[error("this kernel has no {what}; {advice}")]
    Unsupported {
        /// What it lacks.
        what: String,
        /// What to do.
        advice: &'static str,
    },
    /// A question that cannot be answered as it was asked.
    #[error("{0}")]
    Question(String),
}
