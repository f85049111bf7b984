//! What a guest has changed of a disk: a copy of the blocks that it wrote.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::file::{DiskError, zeros};

/// Bytes that are copied together: a page, as memory is given out in pages.
pub(super) const BLOCK: u64 = BLOCK_SIZE as u64;
/// The same, as a length.
pub(super) const BLOCK_SIZE: usize = 4096;

/// Bytes that a guest may change, of one disk: 1 GiB.
pub(crate) const MOST_CHANGED: u64 = 1 << 30;

/// Changed blocks, in memory. The file is as long as the disk and cannot grow.
#[derive(Debug)]
pub(super) struct Changes {
    file: File,
    /// A bit for each block that is here.
    present: Vec<u64>,
    /// How many more there may be.
    left: u64,
}

impl Changes {
    /// None yet, of a disk of `size` bytes; at most `most` blocks.
    pub(super) fn new(size: u64, most: u64) -> Result<Self, DiskError> {
        let words = size.div_ceil(BLOCK).div_ceil(64);
        let words = usize::try_from(words).unwrap_or(usize::MAX);
        let mut present = Vec::new();
        present
            .try_reserve_exact(words)
            .map_err(|error| DiskError::Memory { size, source: io::Error::other(error) })?;
        present.resize(words, 0);
        Ok(Self { file: File::from(zeros(size)?), present, left: most })
    }

    /// Whether `block` is here.
    pub(super) fn have(&self, block: u64) -> bool {
        let (word, bit) = place(block);
        self.present.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Reads what is here.
    pub(super) fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset)
    }

    /// Writes into a block that is here, or one that `bytes` fill.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let block = offset / BLOCK;
        if !self.have(block) && self.left == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_all_at(bytes, offset)?;
        if !self.have(block) {
            let (word, bit) = place(block);
            self.present[word] |= bit;
            self.left -= 1;
        }
        Ok(())
    }
}

fn place(block: u64) -> (usize, u64) {
    (usize::try_from(block / 64).unwrap_or(usize::MAX), 1 << (block % 64))
}
