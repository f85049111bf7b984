//! What the cache knows of one kernel.

use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::super::Arch;

/// Where a cached kernel comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Origin {
    /// Unpacked from a distribution's package.
    Package {
        /// The package's name.
        package: String,
        /// The package's version.
        version: String,
    },
    /// Built here.
    Build {
        /// The profile, or `custom`.
        profile: String,
        /// The source: a package with its version, a tarball, or a directory.
        source: String,
        /// The compilers, as they print their versions.
        toolchain: String,
    },
}

/// One kernel in the cache; `entry.json` in its directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Unique name, which is the directory's name: `debian-6.1.0-56-amd64`.
    pub name: String,
    /// The name under which the newest of several is found: `debian`.
    pub alias: String,
    /// The kernel's release.
    pub release: String,
    /// The kernel's architecture.
    pub arch: Arch,
    /// Where it comes from.
    pub origin: Origin,
    /// When it was put here, in seconds since 1970.
    pub created: u64,
    /// Size of its files in bytes.
    pub size: u64,
    /// The entry's directory; not part of `entry.json`.
    #[serde(skip_deserializing, default)]
    pub dir: PathBuf,
}

impl Entry {
    /// The kernel image.
    #[must_use]
    pub fn image(&self) -> PathBuf {
        self.dir.join(format!("boot/vmlinuz-{}", self.release))
    }
}

/// The present time for [`Entry::created`], in seconds since 1970.
#[must_use]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map(|time| time.as_secs()).unwrap_or_default()
}
