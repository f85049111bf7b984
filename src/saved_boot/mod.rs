//! Booted guests on disk, for later invocations to copy.
//!
//! A saved boot is a snapshot directory (`inspect::dump::Manifest`) whose `state.*` files are what a copy needs beside memory: CPUs and
//! devices in the words of the backend, what the harness knew of the guest, and what it had printed. Whatever tools look into
//! snapshots look into it.

mod about;
mod copy;
mod error;
mod identity;
mod read;
mod write;

pub use about::About;
pub use error::SavedBootError;
pub use identity::Identity;
pub use read::SavedBoot;
pub use write::{Booted, Target};
