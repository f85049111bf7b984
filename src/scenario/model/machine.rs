//! The machine that a scenario asks for.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vmm::Model;

use super::Disk;
use crate::scenario::units::Size;

/// The machine to boot on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Architecture.
    pub arch: Arch,
    /// Board; the architecture's plain virtual machine where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub board: Option<Board>,
    /// Number of CPUs, at least 1.
    pub cpus: u32,
    /// Guest memory.
    pub memory: Size,
    /// What runs the guest.
    pub backend: Backend,
    /// Disks, in the order in which the guest finds them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<Disk>,
    /// Whether the guest has a working KVM of its own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub nested: bool,
    /// Whether a compressed kernel is unpacked before it is booted, or unpacks itself.
    #[serde(skip_serializing_if = "is_default_unpack")]
    pub unpack: bool,
    /// Words to append to the kernel command line; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cmdline: String,
    /// What of it the scenario left to the machine.
    #[serde(skip)]
    pub left_open: LeftOpen,
}

/// What a scenario did not state of its machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOpen {
    /// The number of CPUs.
    pub cpus: bool,
    /// The memory.
    pub memory: bool,
}

impl Machine {
    /// The machine as its guest sees it.
    pub fn model(&self) -> Model {
        match (self.arch, self.board) {
            (Arch::X86_64, _) => Model::Pc,
            (Arch::Aarch64, board) => board.unwrap_or(Board::Virt).model(),
        }
    }

    /// Fits CPUs and memory to a board that has them fixed: what was left open becomes the board's.
    ///
    /// # Errors
    /// When the board has less than was asked for, in words.
    pub fn fit_to_board(&mut self) -> Result<(), String> {
        let model = self.model();
        let Some(fixed) = model.fixed() else { return Ok(()) };
        if self.left_open.cpus {
            self.cpus = fixed.cpus;
        }
        if self.left_open.memory {
            self.memory = Size(fixed.memory);
        }
        if self.cpus > fixed.cpus {
            return Err(format!("{model} has {} CPUs, not {}", fixed.cpus, self.cpus));
        }
        if self.memory.0 > fixed.memory {
            return Err(format!("{model} has {} of RAM, not {}", Size(fixed.memory), self.memory));
        }
        Ok(())
    }
}

/// Boards of aarch64.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Deserialize,
    Serialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Board {
    /// QEMU's own board.
    Virt,
    /// Raspberry Pi 3B.
    Raspi3b,
    /// Raspberry Pi 4B.
    Raspi4b,
}

impl Board {
    /// The machine that has it.
    pub fn model(self) -> Model {
        match self {
            Self::Virt => Model::Virt,
            Self::Raspi3b => Model::Raspi3b,
            Self::Raspi4b => Model::Raspi4b,
        }
    }
}

impl fmt::Display for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Virt => "virt",
            Self::Raspi3b => "raspi3b",
            Self::Raspi4b => "raspi4b",
        })
    }
}

fn is_default_unpack(unpack: &bool) -> bool {
    *unpack
}

/// Processor architectures.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Deserialize,
    Serialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Arch {
    /// 64-bit x86.
    #[default]
    #[serde(rename = "x86-64")]
    #[value(name = "x86-64", alias = "x86_64")]
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
