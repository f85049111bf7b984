//! The memory map that the kernel is told (e820): what is RAM, and what it must leave alone.

use crate::kvm::arch::layout::{CONVENTIONAL_END, HIGH_MEMORY};
use crate::kvm::memory;

/// What a range is, in the numbers of e820 (ACPI specification, table 15.4) and of PVH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ram = 1,
    Reserved = 2,
}

/// A range of the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) address: u64,
    pub(crate) size: u64,
    pub(crate) kind: Kind,
}

/// The map of a machine with `ram` bytes of RAM; at least the first MiB of it is there.
pub(crate) fn memory_map(ram: u64) -> Vec<Entry> {
    let entry = |address, end, kind| Entry { address, size: end - address, kind };
    let mut map = vec![
        entry(0, CONVENTIONAL_END, Kind::Ram),
        entry(CONVENTIONAL_END, HIGH_MEMORY, Kind::Reserved),
    ];
    for region in memory::regions(ram) {
        let start = region.address.max(HIGH_MEMORY);
        map.push(entry(start, region.address + region.size, Kind::Ram));
    }
    map
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_map_is_sorted_without_overlap_and_tells_of_all_ram_but_the_reserved(
            mib in 2u64..8192,
        ) {
            let map = memory_map(mib << 20);
            for pair in map.windows(2) {
                prop_assert!(pair[0].address + pair[0].size <= pair[1].address);
            }
            let size = |kind| -> u64 {
                map.iter().filter(|entry| entry.kind == kind).map(|entry| entry.size).sum()
            };
            prop_assert_eq!(size(Kind::Ram) + size(Kind::Reserved), mib << 20);
        }
    }
}
