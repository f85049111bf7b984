//! The contract of physical memory.

use std::fmt::Debug;
use std::ops::Range;

use super::MemoryError;

/// Guest-physical memory, read-only.
pub trait PhysicalMemory: Send + Sync + Debug {
    /// Fills `buffer` from guest-physical `address`; the range must lie inside one range of RAM.
    ///
    /// # Errors
    /// [`MemoryError::Hole`] where there is no RAM, [`MemoryError::Io`] where the host fails.
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), MemoryError>;

    /// The ranges of RAM, ascending and disjoint.
    fn ranges(&self) -> &[Range<u64>];

    /// What must be known of this memory beside what is in it.
    fn caveat(&self) -> Option<String> {
        None
    }

    /// The next range of RAM at or after `from` that may hold anything but zeros.
    fn next_data(&self, from: u64) -> Option<Range<u64>> {
        let range = self.ranges().iter().find(|range| from < range.end)?;
        Some(from.max(range.start)..range.end)
    }

    /// The `u64` at `address`.
    ///
    /// # Errors
    /// As [`PhysicalMemory::read`].
    fn u64(&self, address: u64) -> Result<u64, MemoryError> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// One past the highest RAM address.
    fn end(&self) -> u64 {
        self.ranges().last().map_or(0, |range| range.end)
    }
}
