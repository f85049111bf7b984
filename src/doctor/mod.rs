//! What is right and what is wrong with this host, as `kharness doctor` tells it.
//!
//! Each part gives a list of [`Check`]s.

mod check;
mod configured;
mod detectors;
mod programs;
mod room;
mod virtualisation;

pub use check::{Check, State};
pub use configured::{Configured, configured};
pub use detectors::{Detector, detectors};

/// All checks of the host, in the order in which people read them.
pub fn host() -> Vec<Check> {
    [virtualisation::checks(), programs::checks(), room::checks()].concat()
}
