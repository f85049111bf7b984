//! The disks of a scenario's machine.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::scenario::units::Size;

/// A disk. Nothing that the guest writes to it outlives the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Disk {
    /// A raw image.
    Image {
        /// Path on the host: absolute, or relative to the directory of the scenario file.
        from: PathBuf,
        /// Whether the guest may only read.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        readonly: bool,
    },
    /// Zeros.
    Blank {
        /// How many.
        size: Size,
    },
}

impl Disk {
    /// What the machine is told; paths are relative to `base`.
    pub fn of_machine(&self, base: &Path) -> vmm::Disk {
        match self {
            Self::Image { from, readonly } => {
                vmm::Disk { content: vmm::Content::Image(base.join(from)), readonly: *readonly }
            }
            Self::Blank { size } => {
                vmm::Disk { content: vmm::Content::Blank(size.0), readonly: false }
            }
        }
    }
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image { from, readonly: false } => write!(f, "{}", from.display()),
            Self::Image { from, readonly: true } => write!(f, "{}-ro", from.display()),
            Self::Blank { size } => write!(f, "disk-{size}"),
        }
    }
}
