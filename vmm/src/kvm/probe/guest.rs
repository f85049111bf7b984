//! The tiny guest of the probe: 64-bit code with its own descriptor tables.

use std::arch::global_asm;

use kvm_bindings::{kvm_regs, kvm_sregs};

use crate::kvm::arch::long_mode::{self, Tables};
use crate::{GuestRam, RamError};

/// Size of the guest's RAM in bytes.
pub(super) const RAM_SIZE: u64 = 0x1_0000;

/// Port to which the guest writes the number of each [`Stage`] it reaches.
pub(super) const STAGE_PORT: u16 = 0xf4;

const GDT: u64 = 0x500;
const IDT: u64 = 0x1000;
const IDT_GATES: usize = 256;
const PAGE_TABLES: u64 = 0x2000;
const CODE: u64 = 0x9000;
const STACK_TOP: u64 = 0xf000;

const BREAKPOINT_VECTOR: u64 = 3;
const TIMER_VECTOR: u64 = 0x20;

/// How far the guest came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It executes instructions.
    Runs = 1,
    /// `int3` entered its handler, and the handler returned.
    TookException,
    /// A timer interrupt of the local APIC entered its handler, and the handler returned.
    TookInterrupt,
}

impl Stage {
    /// The stage with this number.
    pub(super) fn from_number(number: u8) -> Option<Self> {
        [Self::Runs, Self::TookException, Self::TookInterrupt]
            .into_iter()
            .find(|stage| *stage as u8 == number)
    }
}

// Position-independent; runs at CODE in 64-bit mode. BL holds the stage, which the handlers advance,
// so an exception that is skipped instead of delivered shows. Registers of the local APIC: SDM
// volume 3, table 11-1 (0xf0 spurious vector, 0x320 LVT timer, 0x3e0 divider, 0x380 initial count,
// 0xb0 end of interrupt). The count is in nanoseconds on KVM: the interrupt comes after 1 ms.
global_asm!(
    ".pushsection .rodata",
    // Global, for the codegen units that do not hold this block; hidden, for all other programs.
    ".irp label, start, breakpoint, timer, end",
    ".globl kharness_probe_\\label",
    ".hidden kharness_probe_\\label",
    ".endr",
    "kharness_probe_start:",
    "  mov bl, 1",
    "  mov al, bl",
    "  out 0xf4, al",
    "  int3",
    "  mov al, bl",
    "  out 0xf4, al",
    "  mov esi, 0xfee00000",
    "  mov dword ptr [rsi + 0xf0], 0x1ff",
    "  mov dword ptr [rsi + 0x320], 0x20",
    "  mov dword ptr [rsi + 0x3e0], 0xb",
    "  mov dword ptr [rsi + 0x380], 1000000",
    // The shadow of STI lets no interrupt in before HLT, and CLI closes the gap before the test.
    "2: sti",
    "  hlt",
    "  cli",
    "  cmp bl, 3",
    "  jne 2b",
    "  mov al, bl",
    "  out 0xf4, al",
    "3: hlt",
    "  jmp 3b",
    "kharness_probe_breakpoint:",
    "  mov bl, 2",
    "  iretq",
    "kharness_probe_timer:",
    "  mov bl, 3",
    "  mov dword ptr [rsi + 0xb0], 0",
    "  iretq",
    "kharness_probe_end:",
    ".popsection",
);

unsafe extern "C" {
    static kharness_probe_start: u8;
    static kharness_probe_breakpoint: u8;
    static kharness_probe_timer: u8;
    static kharness_probe_end: u8;
}

/// The guest in RAM of its own, ready to run.
pub(super) fn load() -> Result<GuestRam, RamError> {
    let ram = GuestRam::new(RAM_SIZE)?;
    long_mode::write_identity_map(&ram, PAGE_TABLES)?;
    long_mode::write_gdt(&ram, GDT)?;
    write_gate(&ram, BREAKPOINT_VECTOR, &raw const kharness_probe_breakpoint)?;
    write_gate(&ram, TIMER_VECTOR, &raw const kharness_probe_timer)?;
    ram.write(CODE, code())?;
    Ok(ram)
}

/// Sets the registers of a processor in its reset state to the first instruction of the guest.
pub(super) fn enter(sregs: &mut kvm_sregs) -> kvm_regs {
    let idt = long_mode::table(IDT, size_of::<u128>() * IDT_GATES);
    long_mode::enter(sregs, &Tables { gdt: GDT, idt, pml4: PAGE_TABLES });
    const RFLAGS_RESERVED: u64 = 1 << 1;
    kvm_regs { rip: CODE, rsp: STACK_TOP, rflags: RFLAGS_RESERVED, ..kvm_regs::default() }
}

fn write_gate(ram: &GuestRam, vector: u64, handler: *const u8) -> Result<(), RamError> {
    let gate = long_mode::interrupt_gate(CODE + offset_of(handler) as u64);
    ram.write(IDT + vector * 16, &gate.to_le_bytes())
}

fn offset_of(label: *const u8) -> usize {
    label.addr() - (&raw const kharness_probe_start).addr()
}

fn code() -> &'static [u8] {
    let length = offset_of(&raw const kharness_probe_end);
    // SAFETY: the assembler laid out these bytes in one piece, in a section that is never written.
    unsafe { std::slice::from_raw_parts(&raw const kharness_probe_start, length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_ends_below_its_stack_and_both_handlers_lie_inside() {
        assert!(CODE + (code().len() as u64) < STACK_TOP);
        for handler in [&raw const kharness_probe_breakpoint, &raw const kharness_probe_timer] {
            assert!((1..code().len()).contains(&offset_of(handler)));
        }
    }

    #[test]
    fn a_number_that_is_no_stage_is_refused() {
        assert_eq!(Stage::from_number(2), Some(Stage::TookException));
        assert_eq!(Stage::from_number(0), None);
        assert_eq!(Stage::from_number(4), None);
    }
}
