//! What a file is, by its first bytes.

use std::fs::File;
use std::path::Path;

use super::super::{Arch, KernelError};
use super::bzimage::read_head;
use super::{Arm64Image, BzImage, ElfImage, foreign};

/// A kernel image of a format that machines boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// An x86 bzImage.
    BzImage(BzImage),
    /// An ELF vmlinux.
    Elf(ElfImage),
    /// An arm64 Image.
    Arm64(Arm64Image),
}

impl Image {
    /// The kernel's release, as `uname -r` prints it.
    #[must_use]
    pub fn release(&self) -> &str {
        match self {
            Self::BzImage(image) => &image.release,
            Self::Elf(image) => &image.release,
            Self::Arm64(image) => &image.release,
        }
    }

    /// The architecture, or the name of one that is not supported.
    fn arch(&self) -> Result<Arch, String> {
        match self {
            Self::BzImage(image) if image.is_64_bit => Ok(Arch::X86_64),
            Self::BzImage(_) => Err("32-bit x86".into()),
            Self::Elf(image) => Arch::from_elf_machine(image.machine)
                .ok_or_else(|| format!("ELF machine {}", image.machine.0)),
            Self::Arm64(_) => Ok(Arch::Aarch64),
        }
    }

    /// Fails unless the image is for `wanted`.
    fn expect_arch(&self, path: &Path, wanted: Arch) -> Result<(), KernelError> {
        let found = match self.arch() {
            Ok(arch) if arch == wanted => return Ok(()),
            Ok(arch) => arch.to_string(),
            Err(name) => name,
        };
        Err(KernelError::WrongArch { path: path.into(), found, wanted })
    }
}

/// Reads what the kernel image at `path`, which must be for `wanted`, says of itself.
///
/// # Errors
/// When the file cannot be read, is a kernel for another architecture, or is no kernel image; then
/// the error says what it is instead, and at which offset it differs.
pub fn identify(path: &Path, wanted: Arch) -> Result<Image, KernelError> {
    let image = read(path, wanted)?;
    image.expect_arch(path, wanted)?;
    Ok(image)
}

fn read(path: &Path, wanted: Arch) -> Result<Image, KernelError> {
    let mut file = File::open(path).map_err(|e| KernelError::io(path, e))?;
    let head = read_head(&mut file).map_err(|e| KernelError::io(path, e))?;
    if ElfImage::matches(&head) {
        return ElfImage::read(path, file, wanted).map(Image::Elf);
    }
    if BzImage::matches(&head) {
        return BzImage::read(path, &file, &head).map(Image::BzImage);
    }
    if Arm64Image::matches(&head) {
        return Arm64Image::read(path).map(Image::Arm64);
    }
    Err(foreign::not_a_kernel(path, &head, wanted))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::bzimage::tests::{bzimage, put};
    use super::*;

    fn error_for(bytes: &[u8]) -> KernelError {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        fs::write(&path, bytes).unwrap();
        identify(&path, Arch::X86_64).unwrap_err()
    }

    #[test]
    fn files_that_are_no_kernel_say_what_they_are_and_where_they_differ() {
        let cases: [(&[u8], &str); 6] = [
            (b"", "an empty file"),
            (b"#!/bin/sh\necho hi\n", "a script"),
            (b"070701000000", "cpio archive"),
            (b"hello, this is text", "found text"),
            (&[1, 2, 3], "only 3 bytes"),
            (&[0; 2048], "at offset 0x202 expected \"HdrS\", found the bytes [00, 00, 00, 00]"),
        ];
        for (bytes, expected) in cases {
            let error = error_for(bytes);
            assert!(matches!(error, KernelError::NotAKernel { .. }), "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn an_elf_program_is_no_kernel() {
        let error = identify(&std::env::current_exe().unwrap(), Arch::host().unwrap()).unwrap_err();
        assert!(matches!(error, KernelError::NotAKernel { .. }), "{error}");
    }

    #[test]
    fn elf_files_cut_anywhere_are_errors_and_never_a_panic() {
        let whole = fs::read(std::env::current_exe().unwrap()).unwrap();
        for len in (4..whole.len().min(4096)).step_by(7) {
            error_for(&whole[..len]);
        }
    }

    #[test]
    fn kernels_of_other_architectures_are_named() {
        let mut riscv = vec![0; 1024];
        put(&mut riscv, 56, b"RSC\x05");
        let mut arm32 = vec![0; 64];
        put(&mut arm32, 0, b"\x7fELF\x01\x01\x01");
        put(&mut arm32, 18, &40_u16.to_le_bytes());
        for (bytes, name) in [(riscv, "64-bit RISC-V"), (arm32, "32-bit Arm")] {
            let error = error_for(&bytes);
            assert!(
                matches!(&error, KernelError::WrongArch { found, .. } if found == name),
                "{error}"
            );
        }
    }

    #[test]
    fn an_arm64_image_is_refused_where_x86_is_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("Image");
        let mut bytes = vec![0; 1024];
        put(&mut bytes, 56, b"ARM\x64");
        put(&mut bytes, 512, b"Linux version 6.12.1-pi (x) ");
        fs::write(&path, bytes).unwrap();
        let image = identify(&path, Arch::Aarch64).unwrap();
        assert_eq!(image.release(), "6.12.1-pi");
        let error = identify(&path, Arch::X86_64).unwrap_err();
        assert!(
            matches!(&error, KernelError::WrongArch { found, .. } if found == "aarch64"),
            "{error}"
        );
    }

    #[test]
    fn a_32_bit_bzimage_is_for_another_architecture() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bzImage");
        let mut bytes = bzimage(b"payload");
        put(&mut bytes, 0x236, &[0, 0]);
        fs::write(&path, bytes).unwrap();
        let error = identify(&path, Arch::X86_64).unwrap_err();
        assert!(error.to_string().contains("32-bit x86"), "{error}");
    }
}
