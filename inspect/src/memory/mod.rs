//! Guest memory, physical and virtual.

mod address_space;
mod error;
mod image;
mod page_table;
mod physical;
mod source;

pub use address_space::{AddressSpace, Mapped};
pub use error::MemoryError;
pub use image::{MemoryImage, Segment, x86_segments};
pub use page_table::{Granule, PageTable};
pub use physical::PhysicalMemory;
pub use source::{ByteSource, FileSource};
