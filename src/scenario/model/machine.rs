//! The machine that a scenario asks for.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::units::Size;

/// The machine to boot on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Architecture.
    pub arch: Arch,
    /// Board; the architecture's plain virtual machine where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
    /// Number of CPUs, at least 1.
    pub cpus: u32,
    /// Guest memory.
    pub memory: Size,
    /// What runs the guest.
    pub backend: Backend,
    /// Words to append to the kernel command line; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cmdline: String,
}

/// Processor architectures.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Arch {
    /// 64-bit x86.
    #[default]
    #[serde(rename = "x86-64")]
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X86_64 => "x86-64",
            Self::Aarch64 => "aarch64",
        })
    }
}

/// What may run a guest.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// Our own machine on KVM where KVM works, and else QEMU.
    #[default]
    Auto,
    /// Our own machine on KVM; an error where KVM does not work.
    Kvm,
    /// QEMU, with KVM where it works and else by emulation.
    Qemu,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Kvm => "kvm",
            Self::Qemu => "qemu",
        })
    }
}
