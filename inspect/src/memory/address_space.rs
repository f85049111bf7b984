//! Virtual memory: page tables over physical memory.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::{MemoryError, PageTable, PhysicalMemory};

/// Smallest page of every format; the unit of the translation cache.
const PAGE: u64 = 4096;
/// Cached translations; a full cache is thrown away, which bounds its memory to a few MiB.
const CACHE: usize = 1 << 17;

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
