//! Model-specific registers: those at the entry of the kernel, and those that a saved processor has.
//!
//! Source: Intel SDM volume 4, table 2-2.

use std::io;
use std::ops::RangeInclusive;

use kvm_bindings::{KVM_MAX_MSR_ENTRIES, Msrs, kvm_msr_entry};
use kvm_ioctls::{Kvm, VcpuFd};
use serde::{Deserialize, Serialize};

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

/// The time stamp counter.
const TSC: u32 = 0x10;
/// When the timer of the local APIC goes off.
pub(crate) const TSC_DEADLINE: u32 = 0x6e0;
/// Registers of KVM's own with which the guest asks for the wall clock: writing one is the asking
/// (Linux `Documentation/virt/kvm/x86/msr.rst`).
const WALL_CLOCK: [u32; 2] = [0x11, 0x4b56_4d00];
/// Those of another hypervisor, as which this one does not show itself.
const HYPER_V: RangeInclusive<u32> = 0x4000_0000..=0x4000_01ff;
/// Memory types, which KVM leaves out of its list.
const MTRR_FIXED: [u32; 3] = [0x250, 0x258, 0x259];
const MTRR_FIXED_4K: RangeInclusive<u32> = 0x268..=0x26f;
const MTRR_VARIABLE: RangeInclusive<u32> = 0x200..=0x20f;
const MTRR_DEFAULT: u32 = 0x2ff;

/// A register, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Register(pub(crate) u32, pub(crate) u64);

/// The registers at the entry of the kernel.
pub(crate) fn at_entry() -> [Register; AT_ENTRY.len()] {
    AT_ENTRY.map(|(number, value)| Register(number, value))
}

/// The registers that are saved and restored as they are: all that KVM lists, and the memory types. Not
/// among them is time, which goes its own way.
pub(crate) fn saved(kvm: &Kvm) -> io::Result<Vec<u32>> {
    let listed = kvm.get_msr_index_list()?;
    let is_other = |number: &u32| {
        [TSC, TSC_DEADLINE].contains(number)
            || WALL_CLOCK.contains(number)
            || HYPER_V.contains(number)
    };
    let mut numbers: Vec<u32> =
        listed.as_slice().iter().copied().filter(|number| !is_other(number)).collect();
    numbers.extend(MTRR_FIXED.into_iter().chain(MTRR_FIXED_4K).chain(MTRR_VARIABLE));
    numbers.push(MTRR_DEFAULT);
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// Reads registers; those that a processor of this kind does not have are left out.
pub(crate) fn read(vcpu: &VcpuFd, numbers: &[u32]) -> io::Result<Vec<Register>> {
    let mut found = Vec::with_capacity(numbers.len());
    let mut rest = numbers;
    while !rest.is_empty() {
        let chunk = &rest[..rest.len().min(KVM_MAX_MSR_ENTRIES)];
        let mut entries = entries(chunk.iter().map(|number| Register(*number, 0)))?;
        // It stops at the first that it cannot read, and tells how many it did.
        let count = vcpu.get_msrs(&mut entries)?;
        let read = entries.as_slice().iter().take(count);
        found.extend(read.map(|entry| Register(entry.index, entry.data)));
        let skipped = usize::from(count < chunk.len());
        rest = &rest[(count + skipped).min(rest.len())..];
    }
    Ok(found)
}

/// Writes registers. Gives the first that KVM did not take and that holds something else.
pub(crate) fn write(vcpu: &VcpuFd, registers: &[Register]) -> io::Result<Option<u32>> {
    let mut rest = registers;
    while !rest.is_empty() {
        let chunk = &rest[..rest.len().min(KVM_MAX_MSR_ENTRIES)];
        let count = vcpu.set_msrs(&entries(chunk.iter().copied())?)?;
        if let Some(refused) = chunk.get(count)
            && read(vcpu, &[refused.0])? != [*refused]
        {
            return Ok(Some(refused.0));
        }
        let skipped = usize::from(count < chunk.len());
        rest = &rest[(count + skipped).min(rest.len())..];
    }
    Ok(None)
}

fn entries(registers: impl Iterator<Item = Register>) -> io::Result<Msrs> {
    let entries: Vec<kvm_msr_entry> = registers
        .map(|Register(index, data)| kvm_msr_entry { index, data, ..Default::default() })
        .collect();
    Msrs::from_entries(&entries).map_err(|error| io::Error::other(format!("{error:?}")))
}
