//! Runs the tests of a plan: in parallel, with retries, each attempt in a fresh guest.

mod attempt;
mod directory;
mod runner;
mod tested;

pub use directory::RunDir;
pub use runner::{Options, run_all};
