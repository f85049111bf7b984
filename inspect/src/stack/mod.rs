//! Kernel stacks: by ORC tables from RAM, by frame pointers, or by a scan that says it is one.

mod extent;
mod frames;
mod orc;
mod scan;
mod start;
mod unwind;

pub use frames::{Frame, Method, Stack};
pub(crate) use orc::Tables;
