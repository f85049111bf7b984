//! The state in which the first processor enters the kernel.
//!
//! Sources: Linux `Documentation/arch/x86/boot.rst`, "64-bit boot protocol"; Xen
//! `docs/misc/pvh.pandoc`, "x86/HVM direct boot ABI".

use kvm_bindings::{kvm_fpu, kvm_regs, kvm_sregs};

use super::layout::{BOOT_STACK, GDT, PAGE_TABLES, PVH_START_INFO, ZERO_PAGE};
use super::long_mode::{self, Tables};
use super::protected_mode;
use crate::{GuestRam, RamError};

const RFLAGS_RESERVED: u64 = 1 << 1;

/// How the kernel is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// In 64-bit mode, with the zero page.
    Linux64 {
        /// Physical address of the entry point.
        address: u64,
    },
    /// In 32-bit mode without paging, with the PVH start info.
    Pvh {
        /// Physical address of the entry point.
        address: u64,
    },
}

impl Entry {
    /// Writes the tables that the processor uses at entry.
    pub(crate) fn write_tables(self, ram: &GuestRam) -> Result<(), RamError> {
        match self {
            Self::Pvh { .. } => Ok(()),
            Self::Linux64 { .. } => {
                long_mode::write_gdt(ram, GDT)?;
                long_mode::write_identity_map(ram, PAGE_TABLES)
            }
        }
    }

    /// Changes the special registers of a processor in its reset state.
    pub(crate) fn enter(self, sregs: &mut kvm_sregs) {
        match self {
            Self::Pvh { .. } => protected_mode::enter(sregs),
            Self::Linux64 { .. } => {
                // Interrupts are off, and the kernel loads its own table before it turns them on.
                let idt = long_mode::table(0, 1);
                long_mode::enter(sregs, &Tables { gdt: GDT, idt, pml4: PAGE_TABLES });
            }
        }
    }

    /// The general registers.
    pub(crate) fn registers(self) -> kvm_regs {
        let base = kvm_regs { rflags: RFLAGS_RESERVED, ..kvm_regs::default() };
        match self {
            Self::Pvh { address } => kvm_regs { rip: address, rbx: PVH_START_INFO, ..base },
            Self::Linux64 { address } => {
                kvm_regs { rip: address, rsi: ZERO_PAGE, rsp: BOOT_STACK, rbp: BOOT_STACK, ..base }
            }
        }
    }
}

/// The state of the floating-point unit after `FNINIT`, with all SSE exceptions masked.
pub(crate) fn floating_point() -> kvm_fpu {
    kvm_fpu { fcw: 0x37f, mxcsr: 0x1f80, ..kvm_fpu::default() }
}
