//! Guest-physical memory: RAM below and above the hole for devices, over one RAM file.

use std::fs::File;
use std::sync::Arc;

use vm_memory::bitmap::{ArcSlice, AtomicBitmap};
use vm_memory::mmap::MmapRegionBuilder;
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap, GuestRegionMmap};

use super::arch::layout::{HIGH_RAM, LOW_RAM_END};
use crate::{GuestRam, RamError};

const PAGE: u64 = 0x1000;

/// The least RAM that holds what is written at boot and leaves room for a small kernel.
const LEAST: u64 = 2 << 20;

/// What notes the pages that devices write, where they are noted.
type Written = Option<ArcSlice<AtomicBitmap>>;

/// Guest memory as `vm-memory` sees it.
pub(crate) type View = GuestMemoryMmap<Written>;

/// Why there is no guest memory.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The size is not one that a machine can have.
    #[error("{0} bytes of guest RAM: it must be a multiple of 4096, and {LEAST} at least")]
    Size(u64),
    /// The host gives no memory.
    #[error(transparent)]
    Ram(#[from] RamError),
    /// The mapping cannot be described to `vm-memory`.
    #[error("cannot map guest RAM: {0}")]
    View(String),
    /// An access to an address without RAM.
    #[error("no guest RAM for {len} bytes at {address:#x}")]
    NoRam {
        /// Guest-physical address.
        address: u64,
        /// Bytes that were to be accessed there.
        len: usize,
    },
}

/// A piece of guest-physical memory that is RAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RamRegion {
    /// Guest-physical address of its first byte.
    pub address: u64,
    /// Offset of that byte in the RAM file.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
}

/// How `size` bytes of RAM are laid out: up to the hole for devices, and the rest above 4 GiB.
pub(crate) fn regions(size: u64) -> Vec<RamRegion> {
    let low = size.min(LOW_RAM_END);
    let mut regions = vec![RamRegion { address: 0, offset: 0, size: low }];
    if size > low {
        regions.push(RamRegion { address: HIGH_RAM, offset: low, size: size - low });
    }
    regions
}

/// Guest-physical memory; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct GuestMemory {
    // The raw regions of the view point into the mapping, so it must live as long.
    view: View,
    ram: Arc<GuestRam>,
}

impl GuestMemory {
    /// `size` bytes of zeroed RAM.
    pub(crate) fn new(size: u64) -> Result<Self, MemoryError> {
        if size < LEAST || !size.is_multiple_of(PAGE) {
            return Err(MemoryError::Size(size));
        }
        Self::over(Arc::new(GuestRam::new(size)?))
    }

    /// A copy-on-write copy of saved RAM; `noted` if what is written to it is to be noted.
    pub(crate) fn copy_of(file: &File, size: u64, noted: bool) -> Result<Self, MemoryError> {
        let copy = if noted { GuestRam::noted_copy_of } else { GuestRam::copy_of };
        Self::over(Arc::new(copy(file, size)?))
    }

    fn over(ram: Arc<GuestRam>) -> Result<Self, MemoryError> {
        let view = regions(ram.size())
            .into_iter()
            .map(|region| view_of(&ram, region))
            .collect::<Result<Vec<_>, _>>()?;
        let view =
            View::from_regions(view).map_err(|error| MemoryError::View(error.to_string()))?;
        Ok(Self { view, ram })
    }

    /// Guest memory as `vm-memory` sees it.
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// The RAM behind it.
    pub(crate) fn ram(&self) -> &Arc<GuestRam> {
        &self.ram
    }

    /// Where low RAM ends: the first address that has none.
    pub(crate) fn low_end(&self) -> u64 {
        self.ram.size().min(LOW_RAM_END)
    }

    /// Copies `bytes` to guest-physical `address`.
    pub(crate) fn write(&self, address: u64, bytes: &[u8]) -> Result<(), MemoryError> {
        self.view
            .write_slice(bytes, GuestAddress(address))
            .map_err(|_| MemoryError::NoRam { address, len: bytes.len() })
    }
}

fn view_of(ram: &GuestRam, region: RamRegion) -> Result<GuestRegionMmap<Written>, MemoryError> {
    let failed = |words: String| MemoryError::View(words);
    let size = usize::try_from(region.size).map_err(|error| failed(error.to_string()))?;
    let offset = usize::try_from(region.offset).map_err(|error| failed(error.to_string()))?;
    let written = ram.written().map(|written| ArcSlice::new(Arc::clone(written), offset));
    // SAFETY: `regions` stays within the RAM that it was given the size of, and the mapping
    // outlives the view: both are held by one `GuestMemory`.
    let builder = unsafe {
        MmapRegionBuilder::new_with_bitmap(size, written)
            .with_raw_mmap_pointer(ram.host_address().add(offset))
    };
    let mapping = builder
        .with_mmap_prot(libc::PROT_READ | libc::PROT_WRITE)
        .with_mmap_flags(libc::MAP_SHARED)
        .build()
        .map_err(|error| failed(error.to_string()))?;
    GuestRegionMmap::new(mapping, GuestAddress(region.address))
        .ok_or_else(|| failed(format!("{:#x} bytes at {:#x}", region.size, region.address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ram_that_does_not_fit_below_the_hole_goes_on_above_4_gib() {
        assert_eq!(regions(64 << 20), [RamRegion { address: 0, offset: 0, size: 64 << 20 }]);
        assert_eq!(
            regions(4 << 30),
            [
                RamRegion { address: 0, offset: 0, size: 3 << 30 },
                RamRegion { address: 4 << 30, offset: 3 << 30, size: 1 << 30 },
            ]
        );
    }

    #[test]
    fn what_is_written_above_the_hole_is_found_in_the_ram_file() {
        let memory = GuestMemory::new(4 << 30).unwrap();
        memory.write((4 << 30) + 5, b"kernel").unwrap();
        let mut back = [0; 6];
        memory.ram().read((3 << 30) + 5, &mut back).unwrap();
        assert_eq!(&back, b"kernel");
    }

    #[test]
    fn the_hole_and_the_end_hold_no_ram() {
        let memory = GuestMemory::new(4 << 30).unwrap();
        for address in [3 << 30, (4 << 30) - 1, 5 << 30, u64::MAX] {
            assert!(memory.write(address, b"x").is_err(), "{address:#x}");
        }
    }

    #[test]
    fn odd_and_tiny_sizes_are_refused() {
        for size in [0, 4096, (64 << 20) + 1] {
            assert!(matches!(GuestMemory::new(size), Err(MemoryError::Size(_))), "{size}");
        }
    }
}
