//! What made a processor stop for the debugger.

use std::sync::{Mutex, PoisonError};

use kvm_bindings::kvm_debug_exit_arch;

/// A processor came out of the guest because of a breakpoint or a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DebugExit {
    /// Its number.
    pub(crate) cpu: usize,
    /// `DB_VECTOR` or `BP_VECTOR` of the kernel's arch/x86/include/asm/trapnr.h.
    pub(crate) exception: u32,
    /// Where it stopped.
    pub(crate) pc: u64,
    /// Debug status register: which breakpoint, or a step.
    pub(crate) dr6: u64,
}

/// The first stop that the debugger has not been told of. One that comes while another is told happens
/// again when the guest goes on: its processor has not executed the instruction.
#[derive(Debug, Default)]
pub(crate) struct Stops(Mutex<Option<DebugExit>>);

impl Stops {
    /// Processor `cpu` stopped.
    pub(crate) fn note(&self, cpu: usize, arch: &kvm_debug_exit_arch) {
        let exit = DebugExit { cpu, exception: arch.exception, pc: arch.pc, dr6: arch.dr6 };
        self.lock().get_or_insert(exit);
    }

    /// The stop to tell of.
    pub(super) fn take(&self) -> Option<DebugExit> {
        self.lock().take()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<DebugExit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
