//! What a thread that deals with the guest gives up before the first instruction of the guest.
//!
//! The guest talks to the devices, and the devices run on these threads. Should it ever make one do
//! what it should not, that thread can still not open a file, start a program, reach the network or
//! get back what it gave up. `docs/threat-model.md` says what is protected, and what is not.

mod confine;
mod filter;

pub(crate) use confine::Jail;
pub use confine::JailError;
