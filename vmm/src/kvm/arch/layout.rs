//! Where things lie in guest-physical memory.
//!
//! ```text
//! 0x500      descriptor table at entry            0xc000_0000  end of low RAM; from here up:
//! 0x6000     PVH start info                       0xd000_0000  virtio-mmio devices
//! 0x7000     zero page                            0xd010_0000  early console
//! 0x8ff0     stack at entry, grows down           0xfec0_0000  IO-APIC
//! 0x9000     page tables at entry                 0xfee0_0000  local APIC
//! 0x20000    command line                         0xfffb_c000  KVM's own four pages
//! 0x9fc00    end of conventional memory           0x1_0000_0000  high RAM
//! 0xe0000    ACPI tables
//! 0x100000   kernel, initramfs
//! ```

use std::ops::Range;

/// Descriptor table at entry.
pub(crate) const GDT: u64 = 0x500;
/// PVH start info, with its module list and memory map behind it.
pub(crate) const PVH_START_INFO: u64 = 0x6000;
/// Zero page (`struct boot_params`).
pub(crate) const ZERO_PAGE: u64 = 0x7000;
/// Stack at entry.
pub(crate) const BOOT_STACK: u64 = 0x8ff0;
/// Page tables at entry.
pub(crate) const PAGE_TABLES: u64 = 0x9000;
/// Command line.
pub(crate) const COMMAND_LINE: u64 = 0x2_0000;
/// Bytes set aside for the command line; the kernel takes 2048 (`COMMAND_LINE_SIZE`).
pub(crate) const COMMAND_LINE_ROOM: usize = 0x1_0000;
/// Where RAM stops below the area of BIOS and video memory.
pub(crate) const CONVENTIONAL_END: u64 = 0x9_fc00;
/// ACPI tables, the root pointer first: where the kernel looks for it when nothing names it.
pub(crate) const ACPI_TABLES: u64 = 0xe_0000;
/// First byte of RAM above the area of BIOS and video memory.
pub(crate) const HIGH_MEMORY: u64 = 0x10_0000;

/// Where low RAM ends at most, and the hole for devices starts.
pub(crate) const LOW_RAM_END: u64 = 0xc000_0000;
/// Where RAM goes on that does not fit below the hole.
pub(crate) const HIGH_RAM: u64 = 0x1_0000_0000;

/// First virtio-mmio device; the others follow at [`VIRTIO_STRIDE`].
pub(crate) const VIRTIO_BASE: u64 = 0xd000_0000;
/// Bytes of address space of a virtio-mmio device.
pub(crate) const VIRTIO_STRIDE: u64 = 0x1000;
/// Interrupt line of the first virtio-mmio device, on the IO-APIC; above the 16 lines of the PC.
pub(crate) const VIRTIO_IRQ: u32 = 16;
/// Interrupt line of the serial port, as on a PC.
pub(crate) const SERIAL_IRQ: u32 = 4;

/// Page of the early console.
pub(crate) const EARLY_CONSOLE: u64 = 0xd010_0000;

/// IO-APIC, where KVM puts it.
pub(crate) const IO_APIC: u32 = 0xfec0_0000;
/// Local APIC of every processor, where it is after reset.
pub(crate) const LOCAL_APIC: u32 = 0xfee0_0000;

/// A page that Intel processors without unrestricted-guest mode need for KVM's own use.
pub(crate) const IDENTITY_MAP_PAGE: u64 = 0xfffb_c000;
/// Three more such pages.
pub(crate) const TSS_ADDRESS: usize = 0xfffb_d000;

/// All that the machine itself writes before the guest runs.
pub(crate) const BOOT_STRUCTURES: Range<u64> = 0..HIGH_MEMORY;
