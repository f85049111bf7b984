//! What the kernel is handed at its entry: the zero page, or the PVH start info.

use linux_loader::loader::bootparam::{boot_e820_entry, boot_params, setup_header};
use linux_loader::loader::elf::start_info::{
    XEN_HVM_START_MAGIC_VALUE, hvm_memmap_table_entry, hvm_modlist_entry, hvm_start_info,
};
use vm_memory::ByteValued;

use super::memory_map::{Entry, memory_map};
use crate::kvm::arch::layout::{ACPI_TABLES, COMMAND_LINE, PVH_START_INFO, ZERO_PAGE};
use crate::kvm::memory::{GuestMemory, MemoryError};

/// "Unregistered boot loader" (`Documentation/arch/x86/boot.rst`, `type_of_loader`).
const LOADER_UNREGISTERED: u8 = 0xff;
const BOOT_FLAG: u16 = 0xaa55;
const HEADER_MAGIC: u32 = u32::from_le_bytes(*b"HdrS");
/// Boot protocol that an ELF image is taken to speak: the first with all fields that are set here.
const ELF_PROTOCOL: u16 = 0x20c;

/// Where the initramfs lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Initramfs {
    pub(crate) address: u64,
    pub(crate) size: u64,
}

/// Writes the zero page for the 64-bit boot protocol; `header` is that of a bzImage.
pub(crate) fn write_zero_page(
    memory: &GuestMemory,
    header: Option<&setup_header>,
    initramfs: Option<Initramfs>,
) -> Result<(), MemoryError> {
    let mut page = boot_params { hdr: header.copied().unwrap_or_default(), ..Default::default() };
    if header.is_none() {
        page.hdr.boot_flag = BOOT_FLAG;
        page.hdr.header = HEADER_MAGIC;
        page.hdr.version = ELF_PROTOCOL;
    }
    page.hdr.type_of_loader = LOADER_UNREGISTERED;
    // Both lie below 4 GiB by their placement.
    let low = |address: u64| u32::try_from(address).unwrap_or(u32::MAX);
    page.hdr.cmd_line_ptr = low(COMMAND_LINE);
    if let Some(Initramfs { address, size }) = initramfs {
        page.hdr.ramdisk_image = low(address);
        page.hdr.ramdisk_size = low(size);
    }
    page.acpi_rsdp_addr = ACPI_TABLES;
    for (slot, entry) in page.e820_table.iter_mut().zip(memory_map(memory.ram().size())) {
        *slot = e820(entry);
        page.e820_entries += 1;
    }
    memory.write(ZERO_PAGE, page.as_slice())
}

fn e820(entry: Entry) -> boot_e820_entry {
    boot_e820_entry { addr: entry.address, size: entry.size, r#type: entry.kind as u32 }
}

/// Writes the PVH start info, and behind it the module list and the memory map.
pub(crate) fn write_start_info(
    memory: &GuestMemory,
    initramfs: Option<Initramfs>,
) -> Result<(), MemoryError> {
    let modules_at = PVH_START_INFO + size_of::<hvm_start_info>() as u64;
    let map_at = modules_at + size_of::<hvm_modlist_entry>() as u64;
    let map = memory_map(memory.ram().size());
    let info = hvm_start_info {
        magic: XEN_HVM_START_MAGIC_VALUE,
        version: 1,
        nr_modules: u32::from(initramfs.is_some()),
        modlist_paddr: modules_at,
        cmdline_paddr: COMMAND_LINE,
        rsdp_paddr: ACPI_TABLES,
        memmap_paddr: map_at,
        memmap_entries: u32::try_from(map.len()).unwrap_or(0),
        ..hvm_start_info::default()
    };
    memory.write(PVH_START_INFO, info.as_slice())?;
    if let Some(Initramfs { address, size }) = initramfs {
        let module = hvm_modlist_entry { paddr: address, size, ..Default::default() };
        memory.write(modules_at, module.as_slice())?;
    }
    (0..).zip(map).try_for_each(|(index, entry)| {
        let at = map_at + index * size_of::<hvm_memmap_table_entry>() as u64;
        memory.write(at, memmap_entry(entry).as_slice())
    })
}

fn memmap_entry(entry: Entry) -> hvm_memmap_table_entry {
    let Entry { address, size, kind } = entry;
    hvm_memmap_table_entry { addr: address, size, type_: kind as u32, reserved: 0 }
}

#[cfg(test)]
mod tests {
    use vm_memory::{Bytes, GuestAddress};

    use super::*;

    const INITRAMFS: Initramfs = Initramfs { address: 0x1f0_0000, size: 0x1234 };

    fn read<T: ByteValued>(memory: &GuestMemory, address: u64) -> T {
        memory.view().read_obj(GuestAddress(address)).unwrap()
    }

    #[test]
    fn the_zero_page_keeps_the_header_of_the_image_and_tells_the_rest() {
        let memory = GuestMemory::new(32 << 20).unwrap();
        let header = setup_header { version: 0x20f, syssize: 7, ..Default::default() };
        write_zero_page(&memory, Some(&header), Some(INITRAMFS)).unwrap();
        let page: boot_params = read(&memory, ZERO_PAGE);
        let hdr = page.hdr;
        assert_eq!(({ hdr.version }, { hdr.syssize }), (0x20f, 7));
        assert_eq!(({ hdr.ramdisk_image }, { hdr.ramdisk_size }), (0x1f0_0000, 0x1234));
        assert_eq!(page.e820_entries, 3);
        let last = page.e820_table[2];
        assert_eq!(({ last.addr }, { last.size }, { last.r#type }), (1 << 20, 31 << 20, 1));
    }

    #[test]
    fn an_elf_image_gets_a_header_that_the_kernel_accepts() {
        let memory = GuestMemory::new(32 << 20).unwrap();
        write_zero_page(&memory, None, None).unwrap();
        let hdr = read::<boot_params>(&memory, ZERO_PAGE).hdr;
        assert_eq!({ hdr.header }, HEADER_MAGIC);
        assert_eq!({ hdr.ramdisk_size }, 0);
    }

    #[test]
    fn the_start_info_leads_to_the_initramfs_and_the_memory_map() {
        let memory = GuestMemory::new(5 << 30).unwrap();
        write_start_info(&memory, Some(INITRAMFS)).unwrap();
        let info: hvm_start_info = read(&memory, PVH_START_INFO);
        let module: hvm_modlist_entry = read(&memory, info.modlist_paddr);
        assert_eq!((module.paddr, module.size), (0x1f0_0000, 0x1234));
        assert_eq!(info.memmap_entries, 4);
        let map: [hvm_memmap_table_entry; 4] =
            std::array::from_fn(|index| read(&memory, info.memmap_paddr + 24 * index as u64));
        assert_eq!((map[3].addr, map[3].size, map[3].type_), (4 << 30, 2 << 30, 1));
    }
}
