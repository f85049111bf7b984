//! Small programs on our own machine, through the real KVM of the host.
//!
//! They need no exceptions and no interrupts, so they run also where no kernel does.

#![expect(clippy::unwrap_used, reason = "a helper of a test that fails ends the test")]

mod consoles;
mod copies;
mod debugger;
mod devices;
mod elf;
mod guest;
mod holding;
mod leaks;
mod lifecycle;
mod programs;
mod queue;
mod refusals;
mod resets;
