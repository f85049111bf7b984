//! Programs that the harness has started.

mod gate;
mod pump;
mod reaper;
mod spawn;
mod table;
mod terminal;

pub use table::{Kind, Programs};
