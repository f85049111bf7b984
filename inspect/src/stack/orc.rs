//! ORC unwind tables, read from RAM.
//!
//! Source: arch/x86/include/asm/orc_types.h, arch/x86/kernel/unwind_orc.c. Two parallel tables: sorted
//! `s32` code offsets, each relative to its own address, and six-byte entries that say where the caller's
//! stack pointer and frame pointer are.

use crate::bytes::{array, i32_at, sign_extend, u16_at};
use crate::kernel::{Error, Kernel};

/// Bytes of an entry.
const ENTRY: usize = 6;
/// Entries of the kernel image at most; Debian's has some 500,000.
const MAX_ENTRIES: u64 = 8 << 20;
/// Entries looked at to find out which numbers stand for which registers.
const SAMPLE: usize = 4096;

/// The base of the caller's stack pointer, or how the frame pointer was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    Undefined,
    PreviousSp,
    Dx,
    Di,
    Bp,
    Sp,
    R10,
    R13,
    BpIndirect,
    SpIndirect,
}

/// What kind of frame an entry describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Undefined,
    EndOfStack,
    Call,
    Registers,
    PartialRegisters,
}

/// An entry, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub sp_offset: i64,
    pub bp_offset: i64,
    pub sp_base: Base,
    pub bp_base: Base,
    pub shape: Shape,
}

/// How this kernel numbers registers and frame shapes. Neither is in its BTF.
#[derive(Debug, Clone, Copy)]
struct Dialect {
    bases: [Base; 11],
    /// Before 6.4: the bit of the last byte that marks the end of the stack. Since then the shape has
    /// three bits and says it itself.
    end_bit: Option<u8>,
}

const BASES_BEFORE_7: [Base; 11] = [
    Base::Undefined,
    Base::PreviousSp,
    Base::Dx,
    Base::Di,
    Base::Bp,
    Base::Sp,
    Base::R10,
    Base::R13,
    Base::BpIndirect,
    Base::SpIndirect,
    Base::Undefined,
];
const BASES_SINCE_7: [Base; 11] = [
    Base::Undefined,
    Base::Undefined,
    Base::Dx,
    Base::Sp,
    Base::Bp,
    Base::Di,
    Base::R10,
    Base::R13,
    Base::PreviousSp,
    Base::SpIndirect,
    Base::BpIndirect,
];

impl Dialect {
    /// Most frames are based on the stack pointer, so its number is the one seen most.
    fn detect(kernel: &Kernel, entries: &[u8]) -> Self {
        let step = (entries.len() / ENTRY / SAMPLE).max(1);
        let numbers = entries.chunks_exact(ENTRY).step_by(step).map(|entry| entry[4] & 0xf);
        let (mut three, mut five) = (0, 0);
        for number in numbers {
            three += u32::from(number == 3);
            five += u32::from(number == 5);
        }
        Self {
            bases: if five >= three { BASES_BEFORE_7 } else { BASES_SINCE_7 },
            end_bit: end_bit(kernel),
        }
    }

    fn decode(&self, entry: [u8; ENTRY]) -> Entry {
        let offset = |at| sign_extend(u16_at(&entry, at).unwrap_or(0).into(), 16);
        let base = |number: u8| {
            let known = self.bases.get(usize::from(number)).copied();
            known.unwrap_or(Base::Undefined)
        };
        Entry {
            sp_offset: offset(0),
            bp_offset: offset(2),
            sp_base: base(entry[4] & 0xf),
            bp_base: base(entry[4] >> 4),
            shape: self.shape(entry),
        }
    }

    fn shape(&self, entry: [u8; ENTRY]) -> Shape {
        let bits = entry[5];
        let Some(end_bit) = self.end_bit else {
            return match bits & 7 {
                1 => Shape::EndOfStack,
                2 => Shape::Call,
                3 => Shape::Registers,
                4 => Shape::PartialRegisters,
                _ => Shape::Undefined,
            };
        };
        match bits & 3 {
            _ if bits & end_bit != 0 => Shape::EndOfStack,
            _ if entry[4] & 0xf == 0 => Shape::Undefined,
            0 => Shape::Call,
            1 => Shape::Registers,
            2 => Shape::PartialRegisters,
            _ => Shape::Undefined,
        }
    }
}

/// The last byte's bit for `orc_entry.end`: bit 2, or in 6.3, which has `signal` before it, bit 3.
fn end_bit(kernel: &Kernel) -> Option<u8> {
    let entry = kernel.types().find("orc_entry").ok()?;
    let end = kernel.types().place(entry, "end").ok()?;
    let bit = u32::try_from(end.bit_offset.checked_sub(40)?).ok()?;
    1_u8.checked_shl(bit)
}

/// One pair of tables: the kernel image's or a module's.
#[derive(Debug)]
struct Table {
    /// Virtual address of the code offsets.
    ip_at: u64,
    ips: Vec<u8>,
    entries: Vec<u8>,
}

impl Table {
    fn read(kernel: &Kernel, ip_at: u64, entries_at: u64, count: u64) -> Result<Self, Error> {
        let count = crate::bytes::index(count.min(MAX_ENTRIES));
        Ok(Self {
            ip_at,
            ips: kernel.space().bytes(ip_at, 4 * count)?,
            entries: kernel.space().bytes(entries_at, ENTRY * count)?,
        })
    }

    fn address(&self, index: usize) -> u64 {
        let offset = i32_at(&self.ips, 4 * index).unwrap_or(0);
        let at = self.ip_at.wrapping_add(4 * index as u64);
        at.wrapping_add_signed(offset.into())
    }

    /// The last entry at or before `ip`.
    fn find(&self, ip: u64) -> Option<[u8; ENTRY]> {
        let (mut low, mut high) = (0, self.ips.len() / 4);
        while low < high {
            let middle = low.midpoint(high);
            if self.address(middle) <= ip {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        array(&self.entries, low.checked_sub(1)? * ENTRY)
    }
}

/// All unwind tables of a kernel; empty for one without ORC.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    kernel: Option<(Table, Dialect)>,
    /// By the range of code that a module's table is for.
    modules: Vec<(String, Table)>,
}

impl Tables {
    /// Reads the tables of the kernel image and of every module.
    pub(crate) fn read(kernel: &Kernel) -> Self {
        let Ok(table) = image_table(kernel) else {
            return Self::default();
        };
        let dialect = Dialect::detect(kernel, &table.entries);
        let modules = kernel.module_symbols().iter().filter_map(|(module, _)| {
            let table = module_table(kernel, module.address.0).ok()?;
            Some((module.name.clone(), table))
        });
        Self { modules: modules.collect(), kernel: Some((table, dialect)) }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.kernel.is_none()
    }

    /// The entry for an instruction.
    pub(super) fn find(&self, kernel: &Kernel, ip: u64) -> Option<Entry> {
        let (image, dialect) = self.kernel.as_ref()?;
        let table = match kernel.locate(ip)?.1 {
            None => image,
            Some(module) => {
                let own = self.modules.iter().find(|(name, _)| *name == module.name);
                &own?.1
            }
        };
        table.find(ip).map(|entry| dialect.decode(entry))
    }
}

fn image_table(kernel: &Kernel) -> Result<Table, Error> {
    let symbol = |name| kernel.symbols().address(name);
    let start = symbol("__start_orc_unwind_ip")?;
    let count = symbol("__stop_orc_unwind_ip")?.saturating_sub(start) / 4;
    Table::read(kernel, start, symbol("__start_orc_unwind")?, count)
}

fn module_table(kernel: &Kernel, module: u64) -> Result<Table, Error> {
    let get = |path| kernel.get(module, kernel.field("module", path)?);
    let count = get("arch.num_orcs")?.min(1 << 20);
    Table::read(kernel, get("arch.orc_unwind_ip")?, get("arch.orc_unwind")?, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_before_6_4_is_decoded() {
        let dialect = Dialect { bases: BASES_BEFORE_7, end_bit: Some(4) };
        let entry = dialect.decode([16, 0, 0xf0, 0xff, 0x15, 0]);
        assert_eq!(entry.sp_base, Base::Sp);
        assert_eq!(entry.bp_base, Base::PreviousSp);
        assert_eq!((entry.sp_offset, entry.bp_offset), (16, -16));
        assert_eq!(entry.shape, Shape::Call);
        assert_eq!(dialect.decode([8, 0, 0, 0, 5, 4]).shape, Shape::EndOfStack);
    }

    #[test]
    fn the_numbers_of_7_mean_other_registers() {
        let dialect = Dialect { bases: BASES_SINCE_7, end_bit: None };
        let entry = dialect.decode([16, 0, 0, 0, 0x83, 2]);
        assert_eq!(entry.sp_base, Base::Sp);
        assert_eq!(entry.bp_base, Base::PreviousSp);
        assert_eq!(entry.shape, Shape::Call);
        assert_eq!(dialect.decode([0, 0, 0, 0, 0, 1]).shape, Shape::EndOfStack);
    }

    #[test]
    fn the_entry_at_or_before_an_address_is_found() {
        let ips = [0x100_i32, 0x200 - 4, 0x300 - 8];
        let table = Table {
            ip_at: 0x1000,
            ips: ips.iter().flat_map(|ip| ip.to_le_bytes()).collect(),
            entries: (0..3).flat_map(|n| [n; ENTRY]).collect(),
        };
        assert_eq!(table.find(0x10ff), None);
        assert_eq!(table.find(0x1100), Some([0; ENTRY]));
        assert_eq!(table.find(0x12ff), Some([1; ENTRY]));
        assert_eq!(table.find(u64::MAX), Some([2; ENTRY]));
    }
}
