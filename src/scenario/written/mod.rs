//! A scenario as a file states it: every key, nothing resolved. The JSON Schema is made of these
//! types, and of their comments.

mod constraint;
mod expectation;
mod matrix;
mod scenario;
mod short;
mod step;
mod text;

pub use expectation::{ExpectationKeys, FORMS, OF_REPORT};
pub use matrix::{CellKeys, MatrixKeys};
pub use scenario::{
    AllowKeys, DiskKeys, FileKeys, MachineKeys, ModuleKeys, PerturbKeys, RequiresKeys,
    ScenarioKeys, TimeoutKeys, XfailKeys,
};
pub use short::{ListOr, StringOr};
pub use step::{
    KINDS, KillKeys, LoadKeys, ProgramKeys, SchedKeys, StepKeys, WAITED, WaitForKeys, WriteKeys,
};
pub use text::{Given, Placed, Text, Word};
