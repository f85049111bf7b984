//! A kernel image on disk: what it is, and bounded access to its bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::bzimage::{BzImage, BzImageError};
use super::elf::{ElfError, ElfKernel};

/// Why a kernel image cannot be booted.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file cannot be opened.
    #[error("cannot open the kernel image {path}: {source}")]
    Open {
        /// The image.
        path: PathBuf,
        /// The host's words.
        source: io::Error,
    },
    /// It is neither of the two kinds that boot here.
    #[error(
        "{0} is neither an x86-64 bzImage nor an ELF vmlinux; \
         a compressed vmlinux must be unpacked first"
    )]
    Unknown(PathBuf),
    /// It is an ELF file, but not a kernel that can boot here.
    #[error("{path}: {source}")]
    Elf {
        /// The image.
        path: PathBuf,
        /// What is wrong with it.
        source: ElfError,
    },
    /// It is a bzImage, but not one that can boot here.
    #[error("{path}: {source}")]
    BzImage {
        /// The image.
        path: PathBuf,
        /// What is wrong with it.
        source: BzImageError,
    },
}

/// The bytes of an image.
#[derive(Debug)]
pub(crate) struct ImageFile {
    file: File,
    size: u64,
}

impl ImageFile {
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file, size })
    }

    /// Size in bytes when it was opened.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Fills `buffer` with the bytes at `offset`.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    /// The `N` bytes at `offset`.
    pub(crate) fn bytes<const N: usize>(&self, offset: u64) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read(offset, &mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

/// A kernel image that was found to be sound.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) file: ImageFile,
    pub(crate) kind: Kind,
}

/// What the image is, and what its headers say.
#[derive(Debug)]
pub(crate) enum Kind {
    /// `vmlinux`.
    Elf(ElfKernel),
    /// `arch/x86/boot/bzImage`, or a distribution's `vmlinuz`.
    BzImage(Box<BzImage>),
}

impl Image {
    /// Opens the image at `path` and checks its headers.
    pub(crate) fn open(path: &Path) -> Result<Self, ImageError> {
        let failed = |source| ImageError::Open { path: path.into(), source };
        let file = File::open(path).and_then(ImageFile::new).map_err(failed)?;
        let kind = identify(&file, path)?;
        Ok(Self { file, kind })
    }
}

/// The identity that the linker gave the build at `path`, in hexadecimal; a bzImage shows none.
pub(crate) fn build_id(path: &Path) -> Option<String> {
    let file = ImageFile::new(File::open(path).ok()?).ok()?;
    let id = ElfKernel::recognises(&file).then(|| ElfKernel::build_id(&file).ok())??;
    Some(id?.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn identify(file: &ImageFile, path: &Path) -> Result<Kind, ImageError> {
    if ElfKernel::recognises(file) {
        return ElfKernel::parse(file)
            .map(Kind::Elf)
            .map_err(|source| ImageError::Elf { path: path.into(), source });
    }
    if BzImage::recognises(file) {
        return BzImage::parse(file)
            .map(|image| Kind::BzImage(Box::new(image)))
            .map_err(|source| ImageError::BzImage { path: path.into(), source });
    }
    Err(ImageError::Unknown(path.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(bytes: &[u8]) -> Result<Image, ImageError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        Image::open(file.path())
    }

    #[test]
    fn what_is_no_kernel_is_refused_by_name() {
        for bytes in [&b""[..], b"\x1f\x8b\x08gzip", b"#!/bin/sh\n", &[0; 4096]] {
            let error = open(bytes).unwrap_err();
            assert!(matches!(error, ImageError::Unknown(_)), "{error}");
        }
    }

    #[test]
    fn a_missing_image_and_a_directory_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Image::open(&dir.path().join("vmlinux")), Err(ImageError::Open { .. })));
        assert!(Image::open(dir.path()).is_err());
    }
}
