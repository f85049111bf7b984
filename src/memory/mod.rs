//! The memory of a guest that runs, is paused, or has ended: read in place, or saved as snapshots.

mod budget;
mod guest;
pub mod live;
mod lost;
mod places;
mod recorder;
mod source;

pub use budget::Budget;
pub use guest::Layout;
pub use lost::{Lost, lost};
pub use places::{Memory, Place};
pub use recorder::Recorder;
