//! Guest RAM: one way to read and write it on every backend.

mod guest;
mod huge;
mod mapping;
mod process;

pub use guest::{GuestRam, RamError, Whereabouts};
pub(crate) use mapping::{Mapping, Original};
