//! How much of the host the guests got: what it takes to tell a slow kernel from a busy host.

mod honesty;
mod procfs;
mod watch;

pub use honesty::{honest, load_scale};
pub use procfs::available_memory;
pub use watch::Watch;
