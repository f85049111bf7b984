//! Names of addresses: the kernel's own symbol table, found in its memory.

mod error;
mod kallsyms;
mod search;
mod table;

pub use error::SymbolError;
pub use kallsyms::Tables;
pub use search::find_tables;
pub use table::{Location, Symbol, Symbols};
