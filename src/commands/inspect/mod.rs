//! `kharness inspect`: the state of a kernel, out of a snapshot or a vmcore.

mod command;
mod describe;
mod lines;
mod prompt;
mod source;
mod subsystems;
mod summary;
mod table;
mod text;
mod tools;

pub use command::{Args, run};
pub use describe::describe;
pub use source::{attach, attach_live, resolve};
