//! Guest RAM and registers to typed kernel state. Pure over a memory trait.
#![forbid(unsafe_code)]

mod address;
mod bytes;
pub mod dump;
pub mod memory;

pub use address::Address;
mod suggest;
pub mod symbols;
pub mod types;
