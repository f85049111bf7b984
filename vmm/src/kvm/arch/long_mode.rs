//! 64-bit mode with an identity map: page tables, descriptor table, segment and control registers.
//!
//! Sources: Intel SDM volume 3, sections 2.5 (control registers), 3.4.5 (segment descriptors),
//! 4.5 (4-level paging); Linux `Documentation/arch/x86/boot.rst`, "64-bit boot protocol".

use kvm_bindings::{kvm_dtable, kvm_segment, kvm_sregs};

use crate::{GuestRam, RamError};

/// Selector of the flat 64-bit code segment; Linux calls it `__BOOT_CS`.
const CODE_SELECTOR: u16 = 0x10;
/// Selector of the flat data segment; Linux calls it `__BOOT_DS`.
const DATA_SELECTOR: u16 = 0x18;

/// Descriptors at the selectors above; entry 1 is not used, as in the Linux boot protocol.
const GDT: [u64; 4] = [0, 0, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff];

const CR0_PROTECTED: u64 = 1 << 0;
const CR0_EXTENSION_TYPE: u64 = 1 << 4;
const CR0_PAGING: u64 = 1 << 31;
const CR4_PAE: u64 = 1 << 5;
const EFER_LONG_MODE_ENABLE: u64 = 1 << 8;
const EFER_LONG_MODE_ACTIVE: u64 = 1 << 10;

const PAGE: u64 = 0x1000;
const TABLE_ENTRIES: u64 = 512;
const LARGE_PAGE: u64 = 2 << 20;
const PRESENT_WRITABLE: u64 = 0b11;
const PAGE_SIZE_BIT: u64 = 1 << 7;

/// Gigabytes that [`write_identity_map`] maps: all below the 4 GiB line, so that RAM, the local APIC
/// and the IO-APIC are reached at their physical addresses.
const MAPPED_GIB: u64 = 4;

/// Bytes that [`write_identity_map`] fills: one PML4, one PDPT, and a page directory per GiB.
#[cfg(test)]
const IDENTITY_MAP_SIZE: u64 = (2 + MAPPED_GIB) * PAGE;

/// Writes page tables at `pml4` that map the first 4 GiB to themselves in 2 MiB pages.
///
/// # Errors
/// When the tables do not fit in guest RAM.
pub(crate) fn write_identity_map(ram: &GuestRam, pml4: u64) -> Result<(), RamError> {
    let pdpt = pml4 + PAGE;
    write_entry(ram, pml4, 0, pdpt | PRESENT_WRITABLE)?;
    for gib in 0..MAPPED_GIB {
        let directory = pdpt + PAGE * (1 + gib);
        write_entry(ram, pdpt, gib, directory | PRESENT_WRITABLE)?;
        for entry in 0..TABLE_ENTRIES {
            let frame = (gib * TABLE_ENTRIES + entry) * LARGE_PAGE;
            write_entry(ram, directory, entry, frame | PAGE_SIZE_BIT | PRESENT_WRITABLE)?;
        }
    }
    Ok(())
}

/// Writes the global descriptor table at `gdt`.
///
/// # Errors
/// When it does not fit in guest RAM.
pub(crate) fn write_gdt(ram: &GuestRam, gdt: u64) -> Result<(), RamError> {
    (0..).zip(GDT).try_for_each(|(index, descriptor)| write_entry(ram, gdt, index, descriptor))
}

/// Where the tables lie that [`enter`] points the processor to, as guest-physical addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tables {
    pub(crate) gdt: u64,
    pub(crate) idt: kvm_dtable,
    pub(crate) pml4: u64,
}

/// Changes the registers of a processor in its reset state to 64-bit mode on `tables`.
pub(crate) fn enter(sregs: &mut kvm_sregs, tables: &Tables) {
    sregs.gdt = table(tables.gdt, size_of_val(&GDT));
    sregs.idt = tables.idt;
    sregs.cs = code_segment();
    let data = data_segment();
    for segment in [&mut sregs.ds, &mut sregs.es, &mut sregs.fs, &mut sregs.gs, &mut sregs.ss] {
        *segment = data;
    }
    sregs.cr3 = tables.pml4;
    sregs.cr4 = CR4_PAE;
    sregs.cr0 = CR0_PROTECTED | CR0_EXTENSION_TYPE | CR0_PAGING;
    sregs.efer = EFER_LONG_MODE_ENABLE | EFER_LONG_MODE_ACTIVE;
}

/// A descriptor table of `size` bytes at `base`. All tables here are at most 4 KiB long.
pub(crate) fn table(base: u64, size: usize) -> kvm_dtable {
    let limit = u16::try_from(size - 1).unwrap_or(u16::MAX);
    kvm_dtable { base, limit, ..kvm_dtable::default() }
}

fn code_segment() -> kvm_segment {
    kvm_segment { selector: CODE_SELECTOR, type_: 0b1011, l: 1, ..flat_segment() }
}

fn data_segment() -> kvm_segment {
    kvm_segment { selector: DATA_SELECTOR, type_: 0b0011, db: 1, ..flat_segment() }
}

fn flat_segment() -> kvm_segment {
    kvm_segment { limit: u32::MAX, present: 1, s: 1, g: 1, ..kvm_segment::default() }
}

/// A gate of the interrupt descriptor table that runs `handler` with interrupts off.
pub(crate) fn interrupt_gate(handler: u64) -> u128 {
    const PRESENT_INTERRUPT_GATE: u128 = 0x8e00 << 32;
    let handler = u128::from(handler);
    (handler & 0xffff)
        | u128::from(CODE_SELECTOR) << 16
        | PRESENT_INTERRUPT_GATE
        | (handler >> 16 & 0xffff) << 48
        | (handler >> 32) << 64
}

fn write_entry(ram: &GuestRam, table: u64, index: u64, value: u64) -> Result<(), RamError> {
    ram.write(table + index * 8, &value.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_u64(ram: &GuestRam, address: u64) -> u64 {
        let mut bytes = [0; 8];
        ram.read(address, &mut bytes).unwrap();
        u64::from_le_bytes(bytes)
    }

    /// What the processor does with an address (SDM volume 3, figure 4-9).
    fn translate(ram: &GuestRam, pml4: u64, address: u64) -> u64 {
        let index = |level: u32| (address >> (12 + 9 * level) & 0x1ff) * 8;
        let pdpt = read_u64(ram, pml4 + index(3)) & !0xfff;
        let directory = read_u64(ram, pdpt + index(2)) & !0xfff;
        let leaf = read_u64(ram, directory + index(1));
        assert_eq!(leaf & 0xfff, PAGE_SIZE_BIT | PRESENT_WRITABLE);
        (leaf & !0xfff) | (address & (LARGE_PAGE - 1))
    }

    #[test]
    fn every_address_below_4_gib_maps_to_itself() {
        let ram = GuestRam::new(0x1000 + IDENTITY_MAP_SIZE).unwrap();
        write_identity_map(&ram, 0x1000).unwrap();
        for address in [0, 0x1234, 0x20_0000, 0x3fff_ffff, 0xfee0_00f0, 0xffff_ffff] {
            assert_eq!(translate(&ram, 0x1000, address), address);
        }
    }

    #[test]
    fn tables_that_do_not_fit_are_refused() {
        let ram = GuestRam::new(IDENTITY_MAP_SIZE).unwrap();
        assert!(write_identity_map(&ram, 0x1000).is_err());
        assert!(write_gdt(&ram, IDENTITY_MAP_SIZE - 8).is_err());
    }

    #[test]
    fn a_gate_holds_all_parts_of_its_handler_address() {
        let gate = interrupt_gate(0x1122_3344_5566_7788);
        assert_eq!(gate, 0x1122_3344_5566_8e00_0010_7788);
    }
}
