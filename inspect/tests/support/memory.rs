//! The guest's RAM and page tables.

/// RAM of the guest.
pub const RAM: u64 = 8 << 20;
/// `_text`, as a KASLR kernel might have it, and where it is in physical memory.
pub const TEXT: u64 = 0xffff_ffff_9200_0000;
pub const TEXT_PHYSICAL: u64 = 2 << 20;
/// Start of the direct map.
pub const DIRECT: u64 = 0xffff_9c40_0000_0000;
/// Start of the array of `struct page`, and where it is in physical memory.
pub const PAGES: u64 = 0xffff_f1c0_0000_0000;
pub const PAGES_PHYSICAL: u64 = 6 << 20;
/// The top page table.
pub const ROOT: u64 = 0x1000;

const PRESENT_WRITABLE: u64 = 3;
const LARGE: u64 = 0x83;
const LARGE_PAGE: u64 = 2 << 20;

/// RAM that is written through virtual addresses.
pub struct Memory {
    pub bytes: Vec<u8>,
    tables: u64,
}

impl Memory {
    /// Empty RAM with page tables for the image, the direct map and the page array.
    pub fn new() -> Self {
        let mut memory =
            Self { bytes: vec![0; usize::try_from(RAM).unwrap()], tables: ROOT + 0x1000 };
        for page in 0..2 {
            memory.map(TEXT + page * LARGE_PAGE, TEXT_PHYSICAL + page * LARGE_PAGE);
        }
        for page in 0..RAM / LARGE_PAGE {
            memory.map(DIRECT + page * LARGE_PAGE, page * LARGE_PAGE);
        }
        memory.map(PAGES, PAGES_PHYSICAL);
        memory
    }

    /// Maps a page of 2 MiB.
    fn map(&mut self, address: u64, physical: u64) {
        let mut table = ROOT;
        for shift in [39, 30] {
            let at = table + ((address >> shift) & 511) * 8;
            if self.physical(at) == 0 {
                self.set_physical(at, self.tables | PRESENT_WRITABLE);
                self.tables += 0x1000;
            }
            table = self.physical(at) & !0xfff;
        }
        self.set_physical(table + ((address >> 21) & 511) * 8, physical | LARGE);
    }

    fn physical(&self, at: u64) -> u64 {
        let at = usize::try_from(at).unwrap();
        u64::from_le_bytes(self.bytes[at..at + 8].try_into().unwrap())
    }

    fn set_physical(&mut self, at: u64, value: u64) {
        let at = usize::try_from(at).unwrap();
        self.bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    /// Writes bytes at a virtual address.
    pub fn write(&mut self, address: u64, bytes: &[u8]) {
        let physical = match address {
            TEXT.. => address - TEXT + TEXT_PHYSICAL,
            PAGES.. => address - PAGES + PAGES_PHYSICAL,
            _ => address - DIRECT,
        };
        let at = usize::try_from(physical).unwrap();
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub fn write_u64(&mut self, address: u64, value: u64) {
        self.write(address, &value.to_le_bytes());
    }

    pub fn write_u32(&mut self, address: u64, value: u32) {
        self.write(address, &value.to_le_bytes());
    }

    /// Links `nodes` into a circular list behind `head`; all are addresses of `struct list_head`.
    pub fn link(&mut self, head: u64, nodes: &[u64]) {
        let ring: Vec<u64> = std::iter::once(head).chain(nodes.iter().copied()).collect();
        for (index, node) in ring.iter().enumerate() {
            self.write_u64(*node, ring[(index + 1) % ring.len()]);
            self.write_u64(node + 8, ring[(index + ring.len() - 1) % ring.len()]);
        }
    }
}
