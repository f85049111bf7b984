//! What can go wrong with symbols.

use crate::Address;
use crate::memory::MemoryError;

/// Why a symbol could not be given.
#[derive(Debug, thiserror::Error)]
pub enum SymbolError {
    /// No symbol of that name.
    #[error("no symbol `{name}` in this kernel{}", crate::suggest::hint(nearest))]
    Unknown {
        /// What was asked for.
        name: String,
        /// Names like it.
        nearest: Vec<String>,
    },
    /// More than one symbol of that name.
    #[error("symbol `{name}` is ambiguous: {}; give the address", list(addresses))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// Every address it has.
        addresses: Vec<Address>,
    },
    /// A kallsyms table that makes no sense.
    #[error("kallsyms at {address:#x}: {reason}")]
    Damaged {
        /// Virtual address of the table.
        address: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// No kallsyms in the kernel image.
    #[error(
        "no symbol table in the kernel image: was the kernel built with CONFIG_KALLSYMS, and is it running?"
    )]
    Absent,
    /// A table could not be read.
    #[error("kallsyms: {0}")]
    Memory(#[from] MemoryError),
}

fn list(addresses: &[Address]) -> String {
    let text: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    text.join(", ")
}
