//! Initramfs archives: put behind one another into guest memory, as high as the kernel allows.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use vm_memory::{Bytes, GuestAddress};

use super::handover::Initramfs;
use super::placement::{Placement, PlacementError};
use crate::kvm::memory::GuestMemory;

const PAGE: u64 = 0x1000;
/// Archives start at multiples of this: the kernel skips zeroes between them, in words.
const ARCHIVE_ALIGN: u64 = 4;

/// Why an initramfs cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum InitramfsError {
    /// An archive cannot be read.
    #[error("cannot read the initramfs {path}: {source}")]
    Read {
        /// The archive.
        path: PathBuf,
        /// The host's words.
        source: io::Error,
    },
    /// There is no room for them.
    #[error(transparent)]
    Placement(#[from] PlacementError),
}

struct Archive<'a> {
    path: &'a Path,
    file: File,
    size: u64,
}

impl<'a> Archive<'a> {
    fn open(path: &'a Path) -> Result<Self, InitramfsError> {
        let failed = |source| InitramfsError::Read { path: path.into(), source };
        let file = File::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        Ok(Self { path, file, size })
    }

    fn load(&mut self, memory: &GuestMemory, address: u64) -> Result<(), InitramfsError> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        memory.view().read_exact_volatile_from(GuestAddress(address), &mut self.file, size).map_err(
            |error| InitramfsError::Read {
                path: self.path.into(),
                source: io::Error::other(error.to_string()),
            },
        )
    }
}

/// Loads the archives at `paths`, to end at `below` or lower.
pub(crate) fn load(
    paths: &[PathBuf],
    memory: &GuestMemory,
    placement: &mut Placement,
    below: u64,
) -> Result<Option<Initramfs>, InitramfsError> {
    let mut archives =
        paths.iter().map(|path| Archive::open(path)).collect::<Result<Vec<_>, _>>()?;
    let size = archives.iter().fold(0u64, |sum, archive| {
        sum.saturating_add(archive.size).saturating_add(ARCHIVE_ALIGN - 1) & !(ARCHIVE_ALIGN - 1)
    });
    if size == 0 {
        return Ok(None);
    }
    let address = placement.claim_highest("the initramfs", size, PAGE, below)?;
    let mut at = address;
    for archive in &mut archives {
        archive.load(memory, at)?;
        at = (at + archive.size).next_multiple_of(ARCHIVE_ALIGN);
    }
    Ok(Some(Initramfs { address, size }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn archives_follow_one_another_on_word_boundaries() {
        let dir = tempfile::tempdir().unwrap();
        let paths = [write(dir.path(), "a", b"first"), write(dir.path(), "b", b"second")];
        let memory = GuestMemory::new(4 << 20).unwrap();
        let mut placement = Placement::new(memory.low_end());
        let place = load(&paths, &memory, &mut placement, u64::MAX).unwrap().unwrap();
        assert_eq!(place, Initramfs { address: (4 << 20) - PAGE, size: 16 });
        let mut bytes = [0; 16];
        memory.ram().read(place.address, &mut bytes).unwrap();
        assert_eq!(&bytes, b"first\0\0\0second\0\0");
    }

    #[test]
    fn no_archives_and_empty_ones_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let memory = GuestMemory::new(4 << 20).unwrap();
        let mut placement = Placement::new(memory.low_end());
        for paths in [vec![], vec![write(dir.path(), "empty", b"")]] {
            assert_eq!(load(&paths, &memory, &mut placement, u64::MAX).unwrap(), None);
        }
    }

    #[test]
    fn one_that_is_missing_or_too_large_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let memory = GuestMemory::new(4 << 20).unwrap();
        let mut placement = Placement::new(memory.low_end());
        let missing = dir.path().join("missing");
        let error = load(&[missing], &memory, &mut placement, u64::MAX).unwrap_err();
        assert!(error.to_string().contains("missing"));
        let large = write(dir.path(), "large", &[]);
        File::options().write(true).open(&large).unwrap().set_len(1 << 40).unwrap();
        let error = load(&[large], &memory, &mut placement, u64::MAX).unwrap_err();
        assert!(error.to_string().contains("no room for the initramfs"), "{error}");
    }
}
