//! A disk that is read and written: an image under the changes of the guest.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::changes::{BLOCK, BLOCK_SIZE, Changes, MOST_CHANGED};
use super::{Disk, DiskError};

/// An open disk.
#[derive(Debug)]
pub(crate) struct Store {
    /// Zeros where there is none.
    image: Option<File>,
    /// None where the guest may only read.
    changes: Option<Changes>,
    size: u64,
}

impl Store {
    /// Opens `disk`. Whatever is written to it is gone with it.
    pub(crate) fn open(disk: &Disk) -> Result<Self, DiskError> {
        Self::with_bound(disk, MOST_CHANGED / BLOCK)
    }

    fn with_bound(disk: &Disk, most_blocks: u64) -> Result<Self, DiskError> {
        let (image, size) = disk.content.open()?;
        let changes = match disk.readonly {
            true => None,
            false => Some(Changes::new(size, most_blocks)?),
        };
        Ok(Self { image, changes, size })
    }

    /// Its size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Whether it can only be read.
    pub(crate) fn is_readonly(&self) -> bool {
        self.changes.is_none()
    }

    /// Reads `bytes.len()` bytes at `offset`, which must lie on the disk.
    pub(crate) fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.check(offset, bytes.len())?;
        pieces(offset, bytes.len())
            .try_for_each(|(at, range)| self.read_piece(at, &mut bytes[range]))
    }

    /// Writes `bytes` at `offset`, which must lie on the disk.
    ///
    /// # Errors
    /// When the disk can only be read, and when the guest has changed as much as it may.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.check(offset, bytes.len())?;
        pieces(offset, bytes.len()).try_for_each(|(at, range)| self.write_piece(at, &bytes[range]))
    }

    fn check(&self, offset: u64, length: usize) -> io::Result<()> {
        match offset.checked_add(length as u64).is_some_and(|end| end <= self.size) {
            true => Ok(()),
            false => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn read_piece(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        match (&self.changes, &self.image) {
            (Some(changes), _) if changes.have(offset / BLOCK) => changes.read(offset, bytes),
            (_, Some(image)) => image.read_exact_at(bytes, offset),
            (_, None) => {
                bytes.fill(0);
                Ok(())
            }
        }
    }

    fn write_piece(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let start = offset / BLOCK * BLOCK;
        let mut block = [0; BLOCK_SIZE];
        // The last block of a disk may be shorter.
        let length = usize::try_from((self.size - start).min(BLOCK)).unwrap_or(0);
        let block = &mut block[..length];
        let Some(changes) = &self.changes else {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        };
        if bytes.len() == length || changes.have(offset / BLOCK) {
            return self.change(offset, bytes);
        }
        self.read_piece(start, block)?;
        let at = usize::try_from(offset - start).unwrap_or(0);
        block[at..at + bytes.len()].copy_from_slice(bytes);
        self.change(start, block)
    }

    fn change(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match &mut self.changes {
            Some(changes) => changes.write(offset, bytes),
            None => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        }
    }
}

/// The parts of `length` bytes at `offset` that lie in one block each: where, and which of the bytes.
fn pieces(offset: u64, length: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        if start == length {
            return None;
        }
        let at = offset + start as u64;
        let room = usize::try_from(BLOCK - at % BLOCK).unwrap_or(usize::MAX);
        let end = length.min(start + room);
        let range = start..end;
        start = end;
        Some((at, range))
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::disk::Content;

    /// Five blocks and a half.
    const SIZE: usize = 5 * 4096 + 2048;

    fn image(dir: &Path) -> Vec<u8> {
        let bytes: Vec<u8> = (0..SIZE).map(|at| (at % 251).to_le_bytes()[0]).collect();
        std::fs::write(dir.join("disk.img"), &bytes).unwrap();
        bytes
    }

    fn open(dir: &Path, readonly: bool, most_blocks: u64) -> Store {
        let content = Content::Image(dir.join("disk.img"));
        Store::with_bound(&Disk { content, readonly }, most_blocks).unwrap()
    }

    #[test]
    fn a_disk_that_may_only_be_read_takes_no_write() {
        let dir = tempfile::tempdir().unwrap();
        image(dir.path());
        let mut store = open(dir.path(), true, 9);
        assert!(store.is_readonly());
        assert!(store.write(0, &[1; 512]).is_err());
    }

    #[test]
    fn a_guest_changes_no_more_than_it_may_but_what_it_changed_it_can_change_again() {
        let dir = tempfile::tempdir().unwrap();
        image(dir.path());
        let mut store = open(dir.path(), false, 2);
        store.write(512, &[1; 512]).unwrap();
        store.write(4096, &[2; 4096]).unwrap();
        assert_eq!(store.write(8192, &[3; 512]).unwrap_err().kind(), io::ErrorKind::StorageFull);
        store.write(0, &[4; 8192]).unwrap();
        let mut back = [0; 1024];
        store.read(8192 - 512, &mut back).unwrap();
        assert_eq!(back[..512], [4; 512]);
        assert_ne!(back[512..], [3; 512]);
    }

    #[test]
    fn an_image_that_is_cut_off_under_the_guest_is_an_error_of_reading() {
        let dir = tempfile::tempdir().unwrap();
        image(dir.path());
        let store = open(dir.path(), false, 2);
        let file = File::options().write(true).open(dir.path().join("disk.img")).unwrap();
        file.set_len(512).unwrap();
        assert!(store.read(0, &mut [0; 512]).is_ok());
        assert!(store.read(512, &mut [0; 512]).is_err());
    }

    proptest! {
        #[test]
        fn a_disk_reads_as_it_was_written_and_its_image_stays(
            accesses in proptest::collection::vec(
                (any::<bool>(), 0..SIZE + 600, 0usize..10_000, any::<u8>()), 1..40),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let original = image(dir.path());
            let mut expected = original.clone();
            let mut store = open(dir.path(), false, 9);
            for (write, offset, length, byte) in accesses {
                let fits = offset + length <= SIZE;
                let mut bytes = vec![byte; length];
                if write {
                    prop_assert_eq!(store.write(offset as u64, &bytes).is_ok(), fits);
                    if fits { expected[offset..offset + length].fill(byte) }
                } else {
                    prop_assert_eq!(store.read(offset as u64, &mut bytes).is_ok(), fits);
                    if fits { prop_assert_eq!(&bytes, &expected[offset..offset + length]) }
                }
            }
            let mut all = vec![0; SIZE];
            store.read(0, &mut all).unwrap();
            prop_assert_eq!(all, expected);
            prop_assert_eq!(std::fs::read(dir.path().join("disk.img")).unwrap(), original);
        }
    }
}
