//! From the lines of a report to what it says.

mod blame;
mod build;
mod corruption;
mod fingerprint;
pub mod frame;
mod machine;
mod skip;
mod stacks;
mod syscall;

mod consequence;

pub(crate) use build::report;
pub(crate) use consequence::is_consequence;
