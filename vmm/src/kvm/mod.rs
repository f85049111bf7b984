//! Our own machine on `/dev/kvm`, for x86-64.

mod arch;
mod probe;

pub use probe::{Probe, probe, probe_device};
