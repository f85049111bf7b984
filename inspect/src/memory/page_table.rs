//! Page-table formats: x86-64 with 4 or 5 levels, aarch64 with three granules.
//!
//! Sources: Intel SDM volume 3A chapter 5 (paging), Arm ARM DDI 0487 chapter D8 (VMSAv8-64).

use super::{MemoryError, PhysicalMemory};

/// Size of an aarch64 translation granule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granule {
    /// 4 KiB pages, 9 bits a level.
    K4,
    /// 16 KiB pages, 11 bits a level.
    K16,
    /// 64 KiB pages, 13 bits a level.
    K64,
}

impl Granule {
    fn shift(self) -> u32 {
        match self {
            Self::K4 => 12,
            Self::K16 => 14,
            Self::K64 => 16,
        }
    }
}

/// How the page tables of the guest are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageTable {
    /// x86-64; `levels` is 4, or 5 with CR4.LA57.
    X86 {
        /// Number of levels.
        levels: u32,
    },
    /// aarch64, upper half (TTBR1): output addresses up to 48 bits.
    Aarch64 {
        /// Page size.
        granule: Granule,
        /// Bits of a virtual address, 64 - TCR_EL1.T1SZ.
        va_bits: u32,
    },
    /// aarch64, lower half (TTBR0), where processes are.
    Aarch64Process {
        /// Page size.
        granule: Granule,
        /// Bits of a virtual address, 64 - TCR_EL1.T0SZ.
        va_bits: u32,
    },
}

/// Where a virtual address leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Translation {
    /// Physical address of the byte.
    pub physical: u64,
    /// Size of the page or block that maps it.
    pub page_size: u64,
}

/// One table entry, decoded.
enum Entry {
    Absent,
    Table(u64),
    Page(u64),
}

const X86_ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const X86_PRESENT: u64 = 1;
/// The kernel's PAGE_NONE and migration use this bit in absent entries; only bit 0 means present.
const X86_LARGE: u64 = 1 << 7;
const ARM_ADDRESS: u64 = 0x0000_ffff_ffff_f000;
const ARM_VALID: u64 = 1;
const ARM_TABLE: u64 = 1 << 1;

impl PageTable {
    fn page_shift(self) -> u32 {
        match self {
            Self::X86 { .. } => 12,
            Self::Aarch64 { granule, .. } | Self::Aarch64Process { granule, .. } => granule.shift(),
        }
    }

    /// Index bits of one level: a table is one page of 8-byte entries.
    fn level_bits(self) -> u32 {
        self.page_shift() - 3
    }

    fn levels(self) -> u32 {
        match self {
            Self::X86 { levels } => levels.clamp(4, 5),
            Self::Aarch64 { va_bits, .. } | Self::Aarch64Process { va_bits, .. } => self
                .address_bits(va_bits)
                .saturating_sub(self.page_shift())
                .div_ceil(self.level_bits())
                .max(1),
        }
    }

    fn address_bits(self, va_bits: u32) -> u32 {
        va_bits.clamp(self.page_shift() + 1, 52)
    }

    /// Bits of a virtual address that the tables translate.
    fn va_bits(self) -> u32 {
        match self {
            Self::X86 { .. } => 12 + 9 * self.levels(),
            Self::Aarch64 { va_bits, .. } | Self::Aarch64Process { va_bits, .. } => {
                self.address_bits(va_bits)
            }
        }
    }

    /// Whether the untranslated upper bits are as the architecture demands.
    fn is_canonical(self, address: u64) -> bool {
        match self {
            Self::X86 { .. } => {
                let upper = address.cast_signed() >> (self.va_bits() - 1);
                upper == 0 || upper == -1
            }
            Self::Aarch64 { .. } => address.cast_signed() >> self.va_bits() == -1,
            Self::Aarch64Process { .. } => address >> self.va_bits() == 0,
        }
    }

    /// Decodes an entry of `level` (1 is the last).
    fn decode(self, entry: u64, level: u32) -> Entry {
        match self {
            Self::X86 { .. } if entry & X86_PRESENT == 0 => Entry::Absent,
            Self::X86 { .. } => {
                let large = level == 1 || (level <= 3 && entry & X86_LARGE != 0);
                let address = entry & X86_ADDRESS;
                if large { Entry::Page(address) } else { Entry::Table(address) }
            }
            Self::Aarch64 { .. } | Self::Aarch64Process { .. } if entry & ARM_VALID == 0 => {
                Entry::Absent
            }
            Self::Aarch64 { .. } | Self::Aarch64Process { .. } => {
                match (level, entry & ARM_TABLE != 0) {
                    (1, true) | (2..=3, false) => Entry::Page(entry & ARM_ADDRESS),
                    (2.., true) => Entry::Table(entry & ARM_ADDRESS & !(self.page_size() - 1)),
                    _ => Entry::Absent,
                }
            }
        }
    }

    fn page_size(self) -> u64 {
        1 << self.page_shift()
    }

    /// Bytes that one entry of `level` (1 is the last) stands for.
    pub(super) fn entry_size(self, level: u32) -> u64 {
        let bits = self.page_shift() + level.saturating_sub(1) * self.level_bits();
        1_u64.checked_shl(bits).unwrap_or(u64::MAX)
    }

    /// The format of the page tables of processes beside these, which are the kernel's.
    pub(super) fn of_process(self) -> Self {
        match self {
            Self::Aarch64 { granule, va_bits } => Self::Aarch64Process { granule, va_bits },
            same => same,
        }
    }

    /// Walks the tables from `root` (physical). At most five reads.
    pub(super) fn translate(
        self,
        memory: &dyn PhysicalMemory,
        root: u64,
        address: u64,
    ) -> Result<Translation, MemoryError> {
        let mut level = self.levels();
        if !self.is_canonical(address) {
            return Err(MemoryError::Unmapped { address, level });
        }
        let mut table = root;
        let mut upper = self.va_bits();
        loop {
            let shift = self.page_shift() + (level - 1) * self.level_bits();
            let index = (address >> shift) & ((1 << (upper - shift)) - 1);
            let at = table.saturating_add(index * 8);
            let entry = memory.u64(at).map_err(|_| MemoryError::BadTable { address, table: at })?;
            match self.decode(entry, level) {
                Entry::Page(page) => return Ok(page_at(page, 1 << shift, address)),
                Entry::Table(next) if level > 1 => table = next,
                _ => return Err(MemoryError::Unmapped { address, level }),
            }
            upper = shift;
            level -= 1;
        }
    }
}

fn page_at(page: u64, page_size: u64, address: u64) -> Translation {
    let within = page_size - 1;
    Translation { physical: (page & !within) | (address & within), page_size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Address;
    use crate::memory::{MemoryImage, Segment};

    /// RAM with these 8-byte words, 1 MiB from physical 0.
    fn ram(words: &[(u64, u64)]) -> MemoryImage<Vec<u8>> {
        let mut bytes = vec![0; 1 << 20];
        for &(at, word) in words {
            let at = usize::try_from(at).unwrap();
            bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        let whole = Segment { start: Address(0), length: Address(1 << 20), offset: Address(0) };
        MemoryImage::new(bytes, vec![whole]).unwrap()
    }

    const X4: PageTable = PageTable::X86 { levels: 4 };

    #[test]
    fn four_levels_lead_to_a_4k_page() {
        let memory = ram(&[
            (0x1000 + 511 * 8, 0x2003),
            (0x2000 + 510 * 8, 0x3003),
            (0x3000 + 8, 0x4003),
            (0x4000 + 2 * 8, 0x8000_0000_0005_6063),
        ]);
        let at = 0xffff_ffff_8020_2123;
        let got = X4.translate(&memory, 0x1000, at).unwrap();
        assert_eq!((got.physical, got.page_size), (0x56123, 4096));
        let absent = X4.translate(&memory, 0x1000, at + 4096).unwrap_err();
        assert!(matches!(absent, MemoryError::Unmapped { level: 1, .. }));
    }

    #[test]
    fn large_pages_end_the_walk_early() {
        let memory = ram(&[
            (0x1000, 0x2003),
            (0x2000, 0x3003),
            (0x2000 + 8, 0x4000_0083),
            (0x3000 + 8, 0x60_0083),
        ]);
        let huge = X4.translate(&memory, 0x1000, 0x4012_3456).unwrap();
        assert_eq!((huge.physical, huge.page_size), (0x4012_3456, 1 << 30));
        let large = X4.translate(&memory, 0x1000, 0x20_1234).unwrap();
        assert_eq!((large.physical, large.page_size), (0x60_1234, 2 << 20));
    }

    #[test]
    fn five_levels_take_one_more_table_and_a_wider_address() {
        let memory = ram(&[(0x1000 + 256 * 8, 0x2003), (0x2000, 0x3003), (0x3000, 0x0083)]);
        let at = 0xff00_0000_0000_0042;
        let five = PageTable::X86 { levels: 5 };
        assert_eq!(five.translate(&memory, 0x1000, at).unwrap().physical, 0x42);
        assert!(X4.translate(&memory, 0x1000, at).is_err(), "not canonical");
    }

    #[test]
    fn a_table_outside_of_ram_is_named() {
        let memory = ram(&[(0x1000, 0x7fff_f003)]);
        let error = X4.translate(&memory, 0x1000, 0).unwrap_err();
        assert!(matches!(error, MemoryError::BadTable { table: 0x7fff_f000, .. }));
    }

    #[test]
    fn aarch64_4k_with_39_bits_has_three_levels_and_blocks() {
        let memory = ram(&[
            (0x1000 + 8, 0x2003),
            (0x2000, 0x3003),
            (0x2000 + 8, 0x40_0701),
            (0x3000 + 5 * 8, 0x7_7703),
        ]);
        let table = PageTable::Aarch64 { granule: Granule::K4, va_bits: 39 };
        let base = 0xffff_ff80_4000_0000;
        let page = table.translate(&memory, 0x1000, base + 0x5123).unwrap();
        assert_eq!(page.physical, 0x7_7123);
        let block = table.translate(&memory, 0x1000, base + 0x20_1234).unwrap();
        assert_eq!((block.physical, block.page_size), (0x40_1234, 2 << 20));
        assert!(table.translate(&memory, 0x1000, 0x5123).is_err(), "lower half");
    }

    #[test]
    fn aarch64_64k_with_42_bits_has_two_levels() {
        let memory = ram(&[(0x1_0000, 0x2_0003), (0x2_0000 + 3 * 8, 0x7_0703)]);
        let table = PageTable::Aarch64 { granule: Granule::K64, va_bits: 42 };
        let got = table.translate(&memory, 0x1_0000, 0xffff_fc00_0003_1234).unwrap();
        assert_eq!((got.physical, got.page_size), (0x7_1234, 65536));
    }

    #[test]
    fn aarch64_16k_with_47_bits_has_three_levels_and_blocks_of_32_mib() {
        let memory = ram(&[
            (0x4000 + 2047 * 8, 0x8003),
            (0x8000 + 8, 0x400_0701),
            (0x8000, 0xc003),
            (0xc000 + 3 * 8, 0x1_4703),
        ]);
        let table = PageTable::Aarch64 { granule: Granule::K16, va_bits: 47 };
        let base = u64::MAX << 36;
        let page = table.translate(&memory, 0x4000, base + 3 * 0x4000 + 0x123).unwrap();
        assert_eq!((page.physical, page.page_size), (0x1_4123, 16 << 10));
        let block = table.translate(&memory, 0x4000, base + (32 << 20) + 0x1234).unwrap();
        assert_eq!((block.physical, block.page_size), (0x400_1234, 32 << 20));
    }

    #[test]
    fn aarch64_4k_with_52_bits_has_five_levels() {
        let memory = ram(&[
            (0x1000 + 15 * 8, 0x2003),
            (0x2000 + 511 * 8, 0x3003),
            (0x3000 + 511 * 8, 0x4003),
            (0x4000 + 511 * 8, 0x5003),
            (0x5000 + 511 * 8, 0x7_7703),
        ]);
        let table = PageTable::Aarch64 { granule: Granule::K4, va_bits: 52 };
        let got = table.translate(&memory, 0x1000, u64::MAX - 0xfff + 0x42).unwrap();
        assert_eq!(got.physical, 0x7_7042);
    }

    #[test]
    fn processes_of_aarch64_are_in_the_lower_half() {
        let memory = ram(&[(0x1000, 0x2003), (0x2000, 0x3003), (0x3000 + 5 * 8, 0x7_7703)]);
        let table = PageTable::Aarch64 { granule: Granule::K4, va_bits: 39 }.of_process();
        assert_eq!(table.translate(&memory, 0x1000, 0x5123).unwrap().physical, 0x7_7123);
        assert!(table.translate(&memory, 0x1000, u64::MAX << 39).is_err(), "upper half");
    }
}
