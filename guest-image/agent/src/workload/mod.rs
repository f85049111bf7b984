//! Programs of exactly known behaviour, for scenarios: this binary under other names.
//!
//! All print one JSON object a line on standard output, end with 0 when they did what they were
//! told, 1 when the kernel refused it, and 2 when the arguments make no sense.

mod forkstorm;
mod hog;
mod latency;
mod options;
mod run;
mod spin;
mod units;

pub use run::run;
