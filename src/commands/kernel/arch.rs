//! Architectures, as the command line names them.

use clap::ValueEnum;
use guest_image::kernel::Arch;

/// Architectures of kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ArchName {
    /// 64-bit x86
    #[value(name = "x86_64")]
    X86_64,
    /// 64-bit Arm
    Aarch64,
}

impl From<ArchName> for Arch {
    fn from(name: ArchName) -> Self {
        match name {
            ArchName::X86_64 => Self::X86_64,
            ArchName::Aarch64 => Self::Aarch64,
        }
    }
}
