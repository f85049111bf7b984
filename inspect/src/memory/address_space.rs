//! Virtual memory: page tables over physical memory.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::{MemoryError, PageTable, PhysicalMemory};

/// Smallest page of every format; the unit of the translation cache.
const PAGE: u64 = 4096;
/// Cached translations; a full cache is thrown away, which bounds its memory to a few MiB.
const CACHE: usize = 1 << 17;

/// A run of addresses that one entry of the page tables maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapped {
    /// First virtual address.
    pub start: u64,
    /// Bytes.
    pub length: u64,
    /// Guest-physical address of the first byte.
    pub physical: u64,
}

/// One virtual address space of the guest.
#[derive(Debug)]
pub struct AddressSpace {
    memory: Arc<dyn PhysicalMemory>,
    format: PageTable,
    root: u64,
    cache: Mutex<HashMap<u64, u64>>,
}

impl AddressSpace {
    /// The space whose top page table is at physical `root`. Attribute bits of a CR3 or TTBR value
    /// must be masked off by the caller.
    #[must_use]
    pub fn new(memory: Arc<dyn PhysicalMemory>, format: PageTable, root: u64) -> Self {
        Self { memory, format, root, cache: Mutex::default() }
    }

    /// The memory under it.
    #[must_use]
    pub fn memory(&self) -> &Arc<dyn PhysicalMemory> {
        &self.memory
    }

    /// The format of its page tables.
    #[must_use]
    pub fn format(&self) -> PageTable {
        self.format
    }

    /// Physical address of the top page table.
    #[must_use]
    pub fn root(&self) -> u64 {
        self.root
    }

    /// The space of a process whose top page table is at physical `root`, beside this one, the kernel's.
    #[must_use]
    pub fn of_process(&self, root: u64) -> Self {
        Self::new(Arc::clone(&self.memory), self.format.of_process(), root)
    }

    /// What of `range` is mapped. Each page or block, and each table that is not there, takes one step from
    /// `budget`; the walk ends when it is used up.
    pub fn mapped<'a>(
        &'a self,
        range: Range<u64>,
        budget: &'a mut usize,
    ) -> impl Iterator<Item = Mapped> + 'a {
        let mut at = range.start;
        std::iter::from_fn(move || {
            while at < range.end && *budget > 0 {
                *budget -= 1;
                let start = at;
                let found = self.format.translate(&*self.memory, self.root, start);
                let step = match &found {
                    Ok(found) => found.page_size,
                    Err(MemoryError::Unmapped { level, .. }) => self.format.entry_size(*level),
                    // A table that is no memory: nothing below it can be told.
                    Err(_) => self.format.entry_size(1),
                };
                let next = (start & !(step - 1)).saturating_add(step);
                at = next.min(range.end);
                if let Ok(found) = found {
                    return Some(Mapped { start, length: at - start, physical: found.physical });
                }
            }
            None
        })
    }

    /// Guest-physical address of a virtual one.
    ///
    /// # Errors
    /// [`MemoryError::Unmapped`] or [`MemoryError::BadTable`].
    pub fn translate(&self, address: u64) -> Result<u64, MemoryError> {
        let (page, within) = (address / PAGE, address % PAGE);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(frame) = cache.get(&page) {
            return Ok(frame + within);
        }
        let found = self.format.translate(&*self.memory, self.root, address)?;
        if cache.len() >= CACHE {
            cache.clear();
        }
        cache.insert(page, found.physical - within);
        Ok(found.physical)
    }

    /// Fills `buffer` from virtual `address`, across pages.
    ///
    /// # Errors
    /// As [`AddressSpace::translate`] and [`PhysicalMemory::read`]; `buffer` may be partly filled.
    pub fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), MemoryError> {
        let mut at = address;
        let mut rest = buffer;
        while !rest.is_empty() {
            let length = rest.len().min(to_page_end(at));
            let (now, later) = rest.split_at_mut(length);
            self.memory.read(self.translate(at)?, now)?;
            at = at.wrapping_add(length as u64);
            rest = later;
        }
        Ok(())
    }

    /// `length` bytes from `address`.
    ///
    /// # Errors
    /// As [`AddressSpace::read`]. The caller bounds `length`.
    pub fn bytes(&self, address: u64, length: usize) -> Result<Vec<u8>, MemoryError> {
        let mut bytes = vec![0; length];
        self.read(address, &mut bytes)?;
        Ok(bytes)
    }

    /// An unsigned integer of `size` bytes, 1 to 8.
    ///
    /// # Errors
    /// As [`AddressSpace::read`].
    pub fn unsigned(&self, address: u64, size: usize) -> Result<u64, MemoryError> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes[..size.min(8)])?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// The `u64` at `address`.
    ///
    /// # Errors
    /// As [`AddressSpace::read`].
    pub fn u64(&self, address: u64) -> Result<u64, MemoryError> {
        self.unsigned(address, 8)
    }

    /// The `u32` at `address`.
    ///
    /// # Errors
    /// As [`AddressSpace::read`].
    pub fn u32(&self, address: u64) -> Result<u32, MemoryError> {
        let mut bytes = [0; 4];
        self.read(address, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// The NUL-terminated string at `address`, of at most `limit` bytes; what is not UTF-8 is
    /// replaced.
    ///
    /// # Errors
    /// [`MemoryError::Unterminated`], else as [`AddressSpace::read`].
    pub fn string(&self, address: u64, limit: usize) -> Result<String, MemoryError> {
        let mut text = Vec::new();
        let mut at = address;
        while text.len() < limit {
            let chunk = self.bytes(at, to_page_end(at).min(limit - text.len()).min(256))?;
            if let Some(end) = memchr::memchr(0, &chunk) {
                text.extend_from_slice(&chunk[..end]);
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
            at = at.wrapping_add(chunk.len() as u64);
            text.extend_from_slice(&chunk);
        }
        Err(MemoryError::Unterminated { address, limit })
    }

    /// Reads `range`, with zeros where a page is not mapped or not in RAM; for searches.
    #[must_use]
    pub fn image(&self, range: Range<u64>) -> Vec<u8> {
        let mut bytes = vec![0; crate::bytes::index(range.end.saturating_sub(range.start))];
        let mut at = range.start;
        let mut rest = bytes.as_mut_slice();
        while !rest.is_empty() {
            let length = rest.len().min(to_page_end(at));
            let (now, later) = rest.split_at_mut(length);
            if self.read(at, now).is_err() {
                now.fill(0);
            }
            at = at.wrapping_add(length as u64);
            rest = later;
        }
        bytes
    }
}

fn to_page_end(address: u64) -> usize {
    crate::bytes::index(PAGE - address % PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Address;
    use crate::memory::{MemoryImage, Segment};

    fn space(words: &[(usize, u64)]) -> AddressSpace {
        let mut bytes = vec![0; 0x8000];
        for (at, word) in words {
            bytes[*at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        let whole = Segment { start: Address(0), length: Address(0x8000), offset: Address(0) };
        let memory = MemoryImage::new(bytes, vec![whole]).unwrap();
        AddressSpace::new(Arc::new(memory), PageTable::X86 { levels: 4 }, 0x1000)
    }

    #[test]
    fn what_is_mapped_is_found_without_a_step_for_every_page_that_is_not() {
        let space = space(&[
            (0x1000, 0x2003),
            (0x2000, 0x3003),
            (0x3000, 0x4003),
            (0x4000 + 16, 0x5003),
            (0x3000 + 8, 0x60_0083),
        ]);
        let mut budget = 2000;
        let found: Vec<Mapped> = space.mapped(0x1000..1 << 46, &mut budget).collect();
        let page = Mapped { start: 0x2000, length: 0x1000, physical: 0x5000 };
        let large = Mapped { start: 2 << 20, length: 2 << 20, physical: 0x60_0000 };
        assert_eq!(found, [page, large]);
        assert!(budget > 0);
    }

    #[test]
    fn tables_that_lead_to_themselves_use_up_the_budget_and_no_more() {
        let words: Vec<(usize, u64)> = (0..512).map(|index| (0x1000 + 8 * index, 0x1003)).collect();
        let space = space(&words);
        let mut budget = 5000;
        assert_eq!(space.mapped(0..1 << 47, &mut budget).count(), 5000);
        assert_eq!(budget, 0);
    }
}
