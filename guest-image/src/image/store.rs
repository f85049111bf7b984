//! Archives on disk.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::image::ImageError;
use crate::initramfs::{Archive, Compression};

/// The file in `cache` that holds `archive`, written if it is not there yet. It is named after
/// the hash of its contents and appears whole or not at all, so runs need no lock against each
/// other: whoever comes second renames the same bytes over it.
pub fn cached(
    archive: &Archive,
    compression: Compression,
    cache: &Path,
) -> Result<PathBuf, ImageError> {
    let bytes = archive.to_bytes();
    let hash = hex(&Sha256::digest(&bytes)[..16]);
    let path = cache.join(format!("base-{hash}.{}", compression.extension()));
    if !path.exists() {
        write(bytes, compression, &path)?;
    }
    Ok(path)
}

/// Writes `archive` into the directory of a run.
pub fn overlay(
    archive: &Archive,
    compression: Compression,
    run: &Path,
) -> Result<PathBuf, ImageError> {
    let path = run.join(format!("overlay.{}", compression.extension()));
    write(archive.to_bytes(), compression, &path)?;
    Ok(path)
}

fn write(bytes: Vec<u8>, compression: Compression, path: &Path) -> Result<(), ImageError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let result = || {
        let bytes = compression.apply(bytes)?;
        fs::create_dir_all(directory)?;
        let mut file = NamedTempFile::new_in(directory)?;
        file.write_all(&bytes)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    result().map_err(|source| ImageError::Write { path: path.into(), source })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
