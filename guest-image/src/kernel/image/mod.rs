//! Kernel image files: bzImage, ELF vmlinux, arm64 Image.

mod arm64;
mod bzimage;
mod elf;
mod foreign;
mod identify;
mod vmlinux;

pub use arm64::Arm64Image;
pub use bzimage::BzImage;
pub use elf::ElfImage;
pub use identify::{Image, identify};
pub use vmlinux::unpacked;
