//! Architectures of guest kernels.

use std::fmt;

use object::elf::{EM_AARCH64, EM_X86_64, Machine};
use serde::{Deserialize, Serialize};

/// An architecture that a guest kernel can be built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arch {
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

impl Arch {
    /// The architecture that an ELF header's `e_machine` stands for, when it is one of ours.
    #[must_use]
    pub fn from_elf_machine(machine: Machine) -> Option<Self> {
        match machine {
            EM_X86_64 => Some(Self::X86_64),
            EM_AARCH64 => Some(Self::Aarch64),
            _ => None,
        }
    }

    /// Debian's name for it, which is also the flavour in its kernel packages' names.
    #[must_use]
    pub fn debian_name(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    /// The kernel's name for it: make's `ARCH`.
    #[must_use]
    pub fn kernel_name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86",
            Self::Aarch64 => "arm64",
        }
    }

    /// Prefix of the names of its binary utilities, where the host's own do not serve.
    #[must_use]
    pub fn cross_prefix(self) -> Option<&'static str> {
        match self {
            _ if Self::host() == Some(self) => None,
            Self::X86_64 => Some("x86_64-linux-gnu-"),
            Self::Aarch64 => Some("aarch64-linux-gnu-"),
        }
    }

    /// What Kbuild is told to build for it here (the kernel's Documentation/kbuild/kbuild.rst).
    #[must_use]
    pub fn make_variables(self) -> Vec<String> {
        let cross = self.cross_prefix().map(|prefix| {
            [format!("ARCH={}", self.kernel_name()), format!("CROSS_COMPILE={prefix}")]
        });
        cross.into_iter().flatten().collect()
    }

    /// The image that a boot loader loads, relative to the top of a build tree.
    #[must_use]
    pub fn boot_image(self) -> &'static str {
        match self {
            Self::X86_64 => "arch/x86/boot/bzImage",
            Self::Aarch64 => "arch/arm64/boot/Image",
        }
    }

    /// The architecture that this program runs on, when it is one of ours.
    #[must_use]
    pub fn host() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::X86_64),
            "aarch64" => Some(Self::Aarch64),
            _ => None,
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        })
    }
}
