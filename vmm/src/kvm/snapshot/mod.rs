//! Saved machines: copies of them, and putting a copy back.

mod error;
mod file;
mod fork;
mod reset;
mod save;
mod state;

pub use error::SnapshotError;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use file::understand;
pub(crate) use fork::Origin;
pub use fork::{fork, fork_to_reset};
pub(crate) use save::save;
