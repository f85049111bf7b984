//! Writes initramfs archives: cpio in the `newc` format
//! (Documentation/driver-api/early-userspace/buffer-format.rst).

mod archive;
mod compress;

pub use archive::{Archive, ArchiveError};
pub use compress::Compression;
