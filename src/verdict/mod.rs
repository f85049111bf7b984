//! What was seen, against what must be true.

mod detectors;
mod excerpt;
mod excuse;
mod expectations;
mod explain;
mod judge;
mod ktap;
mod loading;
mod memory;
mod scope;

pub use judge::{Verdict, judge};
pub use memory::holds_now;
