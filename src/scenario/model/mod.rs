//! A scenario, checked and resolved. What it serializes to is a scenario file again.

mod cel;
mod cell;
mod disk;
mod expectation;
mod machine;
mod perturb;
mod requires;
mod scenario;
mod step;
mod words;

pub use cel::{Cel, CelError, Mentions};
pub use cell::{Cell, KERNEL_AXIS, label};
pub use disk::Disk;
pub use expectation::{Count, Expectation, Form, Pattern, ReportMatch, Stopped};
pub use machine::{Arch, Backend, Board, LeftOpen, Machine};
pub use perturb::{Clock, Perturb};
pub use requires::{ConfigNeed, ConfigValue, KernelNeed, Requires};
pub use scenario::{
    AllowList, Allowance, Base, Date, FileMode, GuestFile, Module, Scenario, Timeouts, Xfail,
};
pub use step::{Action, Policy, Program, Sched, Step, WaitFor, Waited};
pub use words::{KindName, Signal, Taint};
