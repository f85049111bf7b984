//! A scenario, checked and resolved. What it serializes to is a scenario file again.

mod cel;
mod expectation;
mod machine;
mod requires;
mod scenario;
mod step;
mod words;

pub use cel::{Cel, CelError};
pub use expectation::{Count, Expectation, Form, Pattern, ReportMatch, Stopped};
pub use machine::{Arch, Backend, Machine};
pub use requires::{ConfigNeed, ConfigValue, KernelNeed, Requires};
pub use scenario::{Allowance, Date, FileMode, GuestFile, Module, Scenario, Timeouts, Xfail};
pub use step::{Action, Policy, Program, Sched, Step, WaitFor, Waited};
pub use words::{KindName, Signal, Taint};
