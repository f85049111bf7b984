//! Can `/dev/kvm` of this host run a stock kernel?
//!
//! A device node proves nothing: there are hosts whose KVM runs small programs through an instruction
//! emulator but cannot deliver an exception, and on which some faults never return from `KVM_RUN`.
//! CPUID bits prove nothing either: such a host may show none and still work, or the reverse. So the
//! probe runs a tiny guest ([`guest`]) that takes an exception and a timer interrupt through its own
//! descriptor table, in a child process ([`child`]) that can be killed whatever it is stuck in.

mod answer;
mod child;
mod fork;
mod guest;
mod message;

pub use answer::{Probe, probe, probe_device};
