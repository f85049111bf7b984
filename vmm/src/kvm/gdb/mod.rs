//! A gdb server for guests on KVM: registers, memory, breakpoints, single steps, each vCPU a thread.
//!
//! Source: the GDB manual, appendix "GDB Remote Serial Protocol"; Linux `Documentation/virt/kvm/api.rst`,
//! `KVM_SET_GUEST_DEBUG`.

mod breakpoints;
mod connection;
mod events;
mod guest;
mod registers;
mod resume;
mod server;
mod stops;

pub(crate) use server::Server;
pub(crate) use stops::Stops;
