//! From what a file states to a checked scenario. Nothing here stops at the first problem.

mod disk;
mod expectation;
mod forms;
mod machine;
mod matrix;
mod names;
mod program;
mod references;
mod scenario;
mod step;

pub use scenario::{allowance, resolve};
