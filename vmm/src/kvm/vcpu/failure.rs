//! What a processor was doing when KVM gave up on it.

use std::fmt::Write;

use kvm_bindings::{KVM_EXIT_INTERNAL_ERROR, kvm_run};
use vm_memory::{Bytes, GuestAddress};

use super::processor::Processor;
use crate::Stop;
use crate::kvm::memory::GuestMemory;

/// Bytes of code that are shown; the longest instruction has 15.
const CODE_BYTES: usize = 16;

/// The words for a failure: what happened, the registers, the code.
pub(super) fn describe(processor: &mut Processor, what: &str, memory: &GuestMemory) -> Stop {
    let mut words = format!("vCPU {}: {what}", processor.number());
    words += &internal_error(processor.fd_mut().get_kvm_run());
    // Writing to a string cannot fail.
    for (name, value) in processor.registers().unwrap_or_default() {
        let _ = write!(words, "; {name} {value:#x}");
    }
    if let Some(code) = code(processor, memory) {
        let _ = write!(words, "; code {code:02x?}");
    }
    Stop::Internal(words)
}

/// `suberror` and data of `KVM_EXIT_INTERNAL_ERROR`.
fn internal_error(run: &kvm_run) -> String {
    if run.exit_reason != KVM_EXIT_INTERNAL_ERROR {
        return String::new();
    }
    // SAFETY: the exit reason says that this member of the union holds.
    let error = unsafe { run.__bindgen_anon_1.internal };
    let count = (error.ndata as usize).min(error.data.len());
    format!(" (suberror {}, data {:x?})", error.suberror, &error.data[..count])
}

/// The bytes at the instruction pointer, if they are in RAM.
fn code(processor: &mut Processor, memory: &GuestMemory) -> Option<[u8; CODE_BYTES]> {
    let fd = processor.fd_mut();
    let (regs, sregs) = (fd.get_regs().ok()?, fd.get_sregs().ok()?);
    let linear = sregs.cs.base.wrapping_add(regs.rip);
    let translation = fd.translate_gva(linear).ok().filter(|found| found.valid != 0)?;
    let mut code = [0; CODE_BYTES];
    memory.view().read_slice(&mut code, GuestAddress(translation.physical_address)).ok()?;
    Some(code)
}
