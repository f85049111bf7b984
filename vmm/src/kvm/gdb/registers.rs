//! A processor's registers as gdb knows them.

use gdbstub_arch::x86::reg::{X86_64CoreRegs, X86SegmentRegs, X87FpuInternalRegs};
use kvm_bindings::{kvm_fpu, kvm_regs, kvm_sregs};

/// What gdb is shown.
pub(super) fn shown(regs: &kvm_regs, sregs: &kvm_sregs, fpu: &kvm_fpu) -> X86_64CoreRegs {
    let mut st = [[0; 10]; 8];
    for (to, from) in st.iter_mut().zip(&fpu.fpr) {
        to.copy_from_slice(&from[..10]);
    }
    X86_64CoreRegs {
        regs: general(regs),
        rip: regs.rip,
        // The upper half is reserved, and zero.
        eflags: lower_half(regs.rflags),
        segments: X86SegmentRegs {
            cs: sregs.cs.selector.into(),
            ss: sregs.ss.selector.into(),
            ds: sregs.ds.selector.into(),
            es: sregs.es.selector.into(),
            fs: sregs.fs.selector.into(),
            gs: sregs.gs.selector.into(),
        },
        st,
        fpu: X87FpuInternalRegs {
            fctrl: fpu.fcw.into(),
            fstat: fpu.fsw.into(),
            ftag: fpu.ftwx.into(),
            fioff: lower_half(fpu.last_ip),
            fooff: lower_half(fpu.last_dp),
            fop: fpu.last_opcode.into(),
            ..X87FpuInternalRegs::default()
        },
        xmm: fpu.xmm.map(u128::from_le_bytes),
        mxcsr: fpu.mxcsr,
    }
}

/// Changes `regs` to what gdb wrote. Selectors and floating point stay: gdb cannot know what else would have
/// to change with them.
pub(super) fn change(regs: &mut kvm_regs, wanted: &X86_64CoreRegs) {
    [
        regs.rax, regs.rbx, regs.rcx, regs.rdx, regs.rsi, regs.rdi, regs.rbp, regs.rsp, regs.r8,
        regs.r9, regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15,
    ] = wanted.regs;
    regs.rip = wanted.rip;
    regs.rflags = wanted.eflags.into();
}

fn general(regs: &kvm_regs) -> [u64; 16] {
    [
        regs.rax, regs.rbx, regs.rcx, regs.rdx, regs.rsi, regs.rdi, regs.rbp, regs.rsp, regs.r8,
        regs.r9, regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15,
    ]
}

fn lower_half(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gdb_is_shown_and_writes_back_unchanged_changes_nothing() {
        let mut regs = kvm_regs { rax: 1, rbx: 2, rsp: 3, r15: 4, rip: 5, ..kvm_regs::default() };
        regs.rflags = 0x202;
        let shown = shown(&regs, &kvm_sregs::default(), &kvm_fpu::default());
        assert_eq!((shown.regs[1], shown.regs[7], shown.rip), (2, 3, 5));
        let mut changed = kvm_regs::default();
        change(&mut changed, &shown);
        assert_eq!(changed, regs);
    }
}
