//! `kh-spin`: tasks that use all CPU time they get, and a measurement of how much that was.

mod measure;
mod spinner;
pub mod task;

pub use measure::{USAGE, run};
