//! From the first instruction of init to the channel.

mod control;
mod init;
mod mounts;
mod protect;

pub use init::run;
