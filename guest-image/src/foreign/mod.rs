//! What a guest of another architecture than this program's runs: its agent and its shell.
//!
//! The agent is built from the source that this program carries along, when it is first wanted; the
//! shell is Debian's static busybox. Both are kept in the cache.

mod agent;
mod applets;
mod busybox;
mod compiler;
mod error;

use std::path::PathBuf;

use crate::kernel::{Arch, Cache, Progress};

pub use applets::applets;
pub use error::ForeignError;

/// The programs of a guest of another architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its architecture.
    pub arch: Arch,
    /// The agent: a static executable.
    pub agent: PathBuf,
    /// busybox: a static executable.
    pub busybox: PathBuf,
}

/// The programs for guests of `arch`: `None` where this host's own serve.
///
/// # Errors
/// When they are not in `cache` and cannot be built or fetched; the message says what is missing.
pub fn foreign(
    arch: Arch,
    cache: &Cache,
    progress: &dyn Progress,
) -> Result<Option<Foreign>, ForeignError> {
    if Arch::host() == Some(arch) {
        return Ok(None);
    }
    let agent = agent::find_or_build(arch, cache, progress)?;
    let busybox = busybox::find_or_fetch(arch, cache, progress)?;
    Ok(Some(Foreign { arch, agent, busybox }))
}
