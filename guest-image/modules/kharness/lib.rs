// SPDX-License-Identifier: GPL-2.0

//! What a kernel test module needs: a list of tests, checks that print both sides, KTAP, a seed,
//! checkpoints, threads on stated CPUs, time budgets and parameters.
//!
//! ```ignore
//! // SPDX-License-Identifier: GPL-2.0
//!
//! //! Sums.
//!
//! use kharness::prelude::*;
//!
//! kharness::suite! {
//!     name: "kh_sums",
//!     description: "Sums",
//!     params: { most: u32 { default: 100, description: "The largest number to add up to" } },
//!     tests: [sums_up],
//! }
//!
//! /// The sum of the first numbers is half of the last one times the one after it.
//! fn sums_up(test: &Test) -> Outcome {
//!     let last = test.rng().below(u64::from(module_parameters::most.value())) + 1;
//!     check_eq!((1..=last).sum::<u64>(), last * (last + 1) / 2);
//!     Ok(())
//! }
//! ```
//!
//! A crate of its own and not a file that each module includes: its names cannot collide with a
//! module's, its warnings are not the module's, and a module's compile errors point into the
//! module. It is compiled together with each module, since a kernel has no place for it.

#[macro_use]
mod print;

mod budget;
mod case;
mod check;
mod checkpoint;
mod params;
mod random;
mod shim;
mod suite;
mod thread;

pub mod prelude;

pub use budget::Budget;
pub use case::{skip, xfail, Outcome, Stop, Test};
pub use checkpoint::checkpoint;
pub use print::print_line;
pub use random::Rng;
pub use shim::{cpus, this_cpu};
pub use suite::{Case, Running, Suite};
pub use thread::{Control, Thread};

#[doc(hidden)]
pub use check::{report, report_sides};

/// What the kernel's print macros put in front of this crate's messages.
const __LOG_PREFIX: &[u8] = b"kharness\0";
