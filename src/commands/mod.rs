//! The commands: each file has its arguments and `run`.

pub mod bisect;
pub mod check;
pub mod completions;
pub mod debug;
pub mod doctor;
pub mod explain;
pub mod gate;
pub mod history;
pub mod inspect;
pub mod kernel;
pub mod list;
pub mod merge;
pub mod module;
pub mod replay;
pub mod report;
pub mod run;
pub mod schema;
pub mod shell;
pub mod snapshot;
pub mod submit;
pub mod triage;
