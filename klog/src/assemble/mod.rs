//! From records to the lines of one report: who belongs together, where it ends.

mod assembler;
mod body;
mod open;

pub(crate) use assembler::Assembler;
pub(crate) use open::{Draft, Line};
