//! A scenario, checked and resolved. What it serializes to is a scenario file again.

mod expectation;
mod machine;
mod requires;
mod scenario;
mod step;
mod words;

pub use expectation::{Cel, Count, Expectation, Form, Pattern, ReportMatch, Stopped, Taint};
pub use machine::{Arch, Backend, Machine};
pub use requires::{ConfigNeed, KernelNeed, Requires};
pub use scenario::{Allowance, Date, FileMode, GuestFile, Module, Scenario, Timeouts, Xfail};
pub use step::{Action, Policy, Program, Sched, Signal, Step, WaitFor, Waited};
