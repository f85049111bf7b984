//! Where the kernel image is, with and without VMCOREINFO.
//!
//! Sources: Documentation/arch/x86/x86_64/mm.rst for the fixed addresses of x86-64;
//! arch/arm64/kernel/vmcore_info.c for the numbers that aarch64 exports.

use std::sync::Arc;

use super::Error;
use crate::dump::{Arch, Dump, Registers, VmcoreInfo};
use crate::memory::{AddressSpace, Granule, PageTable, PhysicalMemory};

/// `__START_KERNEL_map` and the start of the module area behind it.
pub(super) const X86_KERNEL_MAP: u64 = 0xffff_ffff_8000_0000;
const X86_MODULES: u64 = 0xffff_ffff_c000_0000;
/// Where the kernel is linked to: `_text` without KASLR.
pub(super) const X86_DEFAULT_TEXT: u64 = 0xffff_ffff_8100_0000;
const X86_STEP: u64 = 2 << 20;
/// No kernel image is larger.
const MAX_IMAGE: u64 = 256 << 20;
const CR4_LA57: u64 = 1 << 12;
const CR3_TABLE: u64 = 0x000f_ffff_ffff_f000;
const TTBR_TABLE: u64 = 0x0000_ffff_ffff_fffe;

/// The kernel's own address space, from what VMCOREINFO says.
pub(super) fn space_from_info(dump: &Dump, info: &VmcoreInfo) -> Result<AddressSpace, Error> {
    let missing =
        |what: &str| Error::NoKernel { reason: format!("VMCOREINFO does not give {what}") };
    let table = info
        .symbol("init_top_pgt")
        .or_else(|| info.symbol("swapper_pg_dir"))
        .ok_or_else(|| missing("SYMBOL(swapper_pg_dir)"))?;
    let (format, root) = match dump.arch {
        Arch::X86_64 => {
            let base = info.number("phys_base").ok_or_else(|| missing("NUMBER(phys_base)"))?;
            let five = info.number("pgtable_l5_enabled") == Some(1);
            let root = table.wrapping_sub(X86_KERNEL_MAP).wrapping_add_signed(base);
            (x86_format(five), root)
        }
        Arch::Aarch64 => {
            let offset =
                info.number("kimage_voffset").ok_or_else(|| missing("NUMBER(kimage_voffset)"))?;
            let format =
                aarch64_format(info).ok_or_else(|| missing("PAGESIZE and NUMBER(VA_BITS)"))?;
            (format, table.wrapping_sub(offset.cast_unsigned()))
        }
    };
    Ok(AddressSpace::new(Arc::clone(&dump.memory), format, root))
}

fn x86_format(five_levels: bool) -> PageTable {
    PageTable::X86 { levels: if five_levels { 5 } else { 4 } }
}

fn aarch64_format(info: &VmcoreInfo) -> Option<PageTable> {
    let granule = match info.get("PAGESIZE")? {
        "4096" => Granule::K4,
        "16384" => Granule::K16,
        "65536" => Granule::K64,
        _ => return None,
    };
    let from_tcr = info.number("TCR_EL1_T1SZ").map(|size| 64 - size);
    let va_bits = from_tcr.or_else(|| info.number("VA_BITS"))?;
    Some(PageTable::Aarch64 { granule, va_bits: u32::try_from(va_bits).ok()? })
}

/// The address space that a vCPU was using.
pub(super) fn space_from_registers(
    memory: &Arc<dyn PhysicalMemory>,
    registers: &Registers,
) -> Option<AddressSpace> {
    let (format, root) = if let Some(cr3) = registers.get("cr3") {
        let five = registers.get("cr4")? & CR4_LA57 != 0;
        (x86_format(five), cr3 & CR3_TABLE)
    } else {
        let tcr = registers.get("tcr_el1")?;
        let root = registers.get("ttbr1_el1")? & TTBR_TABLE;
        (aarch64_format_from_tcr(tcr)?, root)
    };
    Some(AddressSpace::new(Arc::clone(memory), format, root))
}

/// TCR_EL1: T1SZ is bits 21..16, TG1 bits 31..30 (Arm ARM, D19.2).
fn aarch64_format_from_tcr(tcr: u64) -> Option<PageTable> {
    let granule = match (tcr >> 30) & 3 {
        1 => Granule::K16,
        2 => Granule::K4,
        3 => Granule::K64,
        _ => return None,
    };
    let va_bits = 64 - u32::try_from((tcr >> 16) & 0x3f).ok()?;
    Some(PageTable::Aarch64 { granule, va_bits })
}

/// The kernel image of x86-64 as its page tables map it.
#[derive(Debug)]
pub(super) struct MappedImage {
    /// Address of `_text`.
    pub text: u64,
    /// What the kernel adds to `address - __START_KERNEL_map` to get a physical address.
    pub phys_base: u64,
    /// The bytes from `text` on, zeros where nothing is mapped.
    pub bytes: Vec<u8>,
}

impl MappedImage {
    /// The address in the mapping of the kernel image of something at a physical address.
    pub(super) fn virtual_address(&self, physical: u64) -> u64 {
        physical.wrapping_sub(self.phys_base).wrapping_add(X86_KERNEL_MAP)
    }
}

/// Walks the range that x86-64 keeps for the kernel image. Its first mapping is `_text`.
pub(super) fn x86_image(space: &AddressSpace) -> Result<MappedImage, Error> {
    let step = crate::bytes::index(X86_STEP);
    let mapped = (X86_KERNEL_MAP..X86_MODULES).step_by(step);
    let mapped: Vec<(u64, u64)> =
        mapped.filter_map(|address| Some((address, space.translate(address).ok()?))).collect();
    let (Some((text, physical)), Some((last, _))) = (mapped.first(), mapped.last()) else {
        return Err(Error::NoKernel {
            reason: format!("nothing is mapped from {X86_KERNEL_MAP:#x} on"),
        });
    };
    let end = (last + X86_STEP).min(text + MAX_IMAGE);
    Ok(MappedImage {
        text: *text,
        phys_base: physical.wrapping_sub(text - X86_KERNEL_MAP),
        bytes: space.image(*text..end),
    })
}
