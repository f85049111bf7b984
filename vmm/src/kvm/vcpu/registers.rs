//! Registers in the order in which the kernel prints them.

use kvm_bindings::{kvm_regs, kvm_sregs};

use crate::Registers;

/// The registers of a processor.
pub(super) fn list(regs: &kvm_regs, sregs: &kvm_sregs) -> Registers {
    vec![
        ("RIP", regs.rip),
        ("RSP", regs.rsp),
        ("RFL", regs.rflags),
        ("RAX", regs.rax),
        ("RBX", regs.rbx),
        ("RCX", regs.rcx),
        ("RDX", regs.rdx),
        ("RSI", regs.rsi),
        ("RDI", regs.rdi),
        ("RBP", regs.rbp),
        ("R8", regs.r8),
        ("R9", regs.r9),
        ("R10", regs.r10),
        ("R11", regs.r11),
        ("R12", regs.r12),
        ("R13", regs.r13),
        ("R14", regs.r14),
        ("R15", regs.r15),
        ("CR0", sregs.cr0),
        ("CR2", sregs.cr2),
        ("CR3", sregs.cr3),
        ("CR4", sregs.cr4),
        ("EFER", sregs.efer),
    ]
}
