//! The uncompressed kernel inside a bzImage, unpacked once and kept.
//!
//! Booted through PVH it skips the decompression in the guest, which takes seconds under emulation.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::super::hash::hex;
use super::super::{Cache, KernelError};
use super::BzImage;

/// The vmlinux of the bzImage at `path`, from the cache or else unpacked into it. The cache key is
/// the SHA-256 of the whole bzImage.
///
/// # Errors
/// When the image cannot be read or is damaged, or the cache cannot be written.
pub fn unpacked(path: &Path, image: &BzImage, cache: &Cache) -> Result<PathBuf, KernelError> {
    let bytes = fs::read(path).map_err(|e| KernelError::io(path, e))?;
    let name = format!("{}.elf", hex(&Sha256::digest(&bytes)));
    drop(bytes);
    cache.file("vmlinux", &name, || image.vmlinux(path))
}
