//! Serves the requests of the harness.

mod agent;
pub mod cgroup;
mod files;
mod sample;

pub use agent::{on, on_stdin};
