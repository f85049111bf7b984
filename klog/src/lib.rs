//! Reads what a Linux kernel prints: console bytes become records, records become kernel reports.
//!
//! - [`Scanner`] takes the bytes of a console, a `dmesg` or a syslog file in chunks of any size and hands out
//!   [`Item`]s: every line as a [`Record`], every complaint of the kernel as a [`Report`].
//! - [`ktap`] reads the test results that KUnit, kselftest and test modules print.
//! - [`record::Prefix`] takes one line apart, for callers that have lines already.
//!
//! Nothing here does I/O, and nothing trusts its input: any byte string is a valid log.

pub mod analyse;
mod assemble;
pub mod detect;
mod explain;
pub mod fields;
mod kind;
pub mod ktap;
pub mod record;
mod report;
mod scanner;

pub use explain::{Explanation, explain};
pub use fields::Fields;
pub use kind::{Class, Kind};
pub use record::{Caller, Record};
pub use report::{Frame, Report, Stack, StackRole, Task};
pub use scanner::{Item, Scanner, reports};
