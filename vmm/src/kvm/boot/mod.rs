//! From a kernel image on disk to a machine that is about to run its first instruction.

mod acpi;
mod bzimage;
mod command_line;
mod elf;
mod handover;
mod image;
mod initramfs;
mod load;
mod memory_map;
mod placement;
#[cfg(test)]
pub(super) mod test_images;

pub use bzimage::BzImageError;
pub use command_line::CommandLineError;
pub use elf::ElfError;
pub use image::ImageError;
pub(crate) use image::build_id;
pub use initramfs::InitramfsError;
pub use load::LoadError;
pub(crate) use load::{Request, load};
pub use placement::{PlacementError, Span};
