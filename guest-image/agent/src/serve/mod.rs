//! Serves the requests of the harness.

mod agent;
pub mod cgroup;
mod files;
mod resume;
mod sample;

pub use agent::{on, on_stdin};
