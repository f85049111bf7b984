//! What a kernel's debugging information adds to a report: source lines, inlined functions; and its `Code:` as
//! instructions.

mod code;
mod error;
mod image;
mod kernel;
mod prelink;
mod resolve;

pub use code::{Instruction, disassemble};
pub use error::SymbolsError;
pub use image::Place;
pub use kernel::{Symbols, Within};
pub use resolve::resolve;
