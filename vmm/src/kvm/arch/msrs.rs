//! Model-specific registers at the entry of the kernel.
//!
//! Source: Intel SDM volume 4, table 2-2.

use kvm_bindings::{Msrs, kvm_msr_entry};

/// Registers and their values. What is 0 is so after reset as well, but stands here because the
/// kernel relies on it before it sets it.
const AT_ENTRY: [(u32, u64); 12] = [
    (0x174, 0),                // SYSENTER_CS
    (0x175, 0),                // SYSENTER_ESP
    (0x176, 0),                // SYSENTER_EIP
    (0xc000_0081, 0),          // STAR
    (0xc000_0082, 0),          // LSTAR
    (0xc000_0083, 0),          // CSTAR
    (0xc000_0084, 0),          // SYSCALL_MASK
    (0xc000_0102, 0),          // KERNEL_GS_BASE
    (0x10, 0),                 // TSC
    (0x1a0, MISC_FAST_STRING), // MISC_ENABLE
    (0x2ff, MTRR_WRITE_BACK),  // MTRRdefType
    (0x277, PAT_AFTER_RESET),  // PAT
];

const MISC_FAST_STRING: u64 = 1;
/// MTRRs on; memory is write-back cached where none says otherwise, and none does.
const MTRR_WRITE_BACK: u64 = 1 << 11 | 6;
/// Table 12-12 of volume 3.
const PAT_AFTER_RESET: u64 = 0x0007_0406_0007_0406;

/// The registers and their values, for `KVM_SET_MSRS`.
pub(crate) fn at_entry() -> Result<Msrs, vmm_sys_util::fam::Error> {
    let entries = AT_ENTRY.map(|(index, data)| kvm_msr_entry { index, data, ..Default::default() });
    Msrs::from_entries(&entries)
}

/// The register at position `index` of [`at_entry`].
pub(crate) fn number_at(index: usize) -> Option<u32> {
    AT_ENTRY.get(index).map(|(number, _)| *number)
}
