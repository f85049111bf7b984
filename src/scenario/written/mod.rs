//! A scenario as a file states it: every key, nothing resolved. The JSON Schema is made of these
//! types, and of their comments.

mod expectation;
mod scenario;
mod short;
mod step;
mod text;

pub use expectation::ExpectationKeys;
pub use scenario::{
    AllowKeys, FileKeys, MachineKeys, ModuleKeys, RequiresKeys, ScenarioKeys, TimeoutKeys,
    XfailKeys,
};
pub use short::{ListOr, StringOr};
pub use step::{KillKeys, LoadKeys, ProgramKeys, SchedKeys, StepKeys, WaitForKeys, WriteKeys};
pub use text::{Given, Placed, Text, Word};
