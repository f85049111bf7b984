//! 32-bit mode with flat segments and without paging.
//!
//! Source: Xen `docs/misc/pvh.pandoc`, "x86/HVM direct boot ABI".

use kvm_bindings::{kvm_segment, kvm_sregs};

const CR0_PROTECTED: u64 = 1 << 0;
const CR0_EXTENSION_TYPE: u64 = 1 << 4;

/// Limit of a task state segment of 32-bit mode.
const TSS_LIMIT: u32 = 0x67;

/// Changes the registers of a processor in its reset state. No descriptor table is there: the kernel
/// loads its own before it loads a segment register.
pub(crate) fn enter(sregs: &mut kvm_sregs) {
    sregs.cs = kvm_segment { selector: 0x8, type_: 0b1011, ..flat_segment() };
    let data = kvm_segment { selector: 0x10, type_: 0b0011, ..flat_segment() };
    for segment in [&mut sregs.ds, &mut sregs.es, &mut sregs.fs, &mut sregs.gs, &mut sregs.ss] {
        *segment = data;
    }
    sregs.tr = kvm_segment { limit: TSS_LIMIT, type_: 0b1011, present: 1, ..Default::default() };
    sregs.cr0 = CR0_PROTECTED | CR0_EXTENSION_TYPE;
    sregs.cr4 = 0;
    sregs.efer = 0;
}

fn flat_segment() -> kvm_segment {
    kvm_segment { limit: u32::MAX, present: 1, s: 1, g: 1, db: 1, ..kvm_segment::default() }
}
