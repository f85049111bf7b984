//! Programs that the harness has started.

mod gate;
mod pump;
mod reaper;
mod spawn;
mod table;

pub use table::{Kind, Programs};
