//! The commands: each file has its arguments and `run`.

pub mod check;
pub mod completions;
pub mod explain;
pub mod inspect;
pub mod kernel;
pub mod list;
pub mod run;
pub mod schema;
pub mod snapshot;
pub mod triage;
