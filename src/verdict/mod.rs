//! What was seen, against what must be true.

mod excerpt;
mod excuse;
mod expectations;
mod explain;
mod judge;
mod scope;

pub use judge::{Verdict, judge};
