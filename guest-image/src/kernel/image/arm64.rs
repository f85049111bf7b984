//! The arm64 `Image`.
//!
//! Header: the kernel's Documentation/arch/arm64/booting.rst, "Call the kernel image".

use std::fs;
use std::path::Path;

use super::super::KernelError;
use super::elf::release_in;

const MAGIC_OFFSET: usize = 56;
const MAGIC: &[u8] = b"ARM\x64";

/// An uncompressed arm64 kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arm64Image {
    /// The kernel's release, from the banner inside the image.
    pub release: String,
}

impl Arm64Image {
    /// Whether the first bytes of a file have the magic at its place.
    pub(super) fn matches(head: &[u8]) -> bool {
        head.get(MAGIC_OFFSET..MAGIC_OFFSET + MAGIC.len()) == Some(MAGIC)
    }

    /// Finds the release of the image at `path`.
    pub(super) fn read(path: &Path) -> Result<Self, KernelError> {
        let bytes = fs::read(path).map_err(|e| KernelError::io(path, e))?;
        let release = release_in(&bytes).ok_or_else(|| {
            KernelError::damaged(
                path,
                bytes.len() as u64,
                "no \"Linux version\" banner in the whole file",
            )
        })?;
        Ok(Self { release })
    }
}
