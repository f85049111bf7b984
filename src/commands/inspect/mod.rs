//! `kharness inspect`: the state of a kernel, out of a snapshot or a vmcore.

mod command;
mod source;
mod summary;
mod table;
mod text;

pub use command::{Args, run};
pub use source::attach;
