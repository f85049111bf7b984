//! What a debugger does with a processor that is out of the guest.

use std::io;

use kvm_bindings::{KVM_GUESTDBG_BLOCKIRQ, kvm_fpu, kvm_guest_debug, kvm_regs, kvm_sregs};

use super::processor::Processor;

impl Processor {
    /// General, special and floating-point registers.
    pub(crate) fn all_registers(&self) -> io::Result<(kvm_regs, kvm_sregs, kvm_fpu)> {
        let fd = self.fd();
        let (regs, sregs) = (fd.get_regs()?, fd.get_sregs()?);
        Ok((regs, sregs, fd.get_fpu()?))
    }

    /// Sets the general registers.
    pub(crate) fn set_general_registers(&self, regs: &kvm_regs) -> io::Result<()> {
        Ok(self.fd().set_regs(regs)?)
    }

    /// The guest-physical address of virtual `address`, by the processor's own page tables.
    pub(crate) fn translate(&self, address: u64) -> Option<u64> {
        let translation = self.fd().translate_gva(address).ok()?;
        (translation.valid != 0).then_some(translation.physical_address)
    }

    /// What it is to come out of the guest for.
    pub(crate) fn debug(&self, mut settings: kvm_guest_debug) -> io::Result<()> {
        let first = self.fd().set_guest_debug(&settings);
        if first.is_err() && settings.control & KVM_GUESTDBG_BLOCKIRQ != 0 {
            // Linux before 5.17 does not know it.
            settings.control &= !KVM_GUESTDBG_BLOCKIRQ;
            return Ok(self.fd().set_guest_debug(&settings)?);
        }
        Ok(first?)
    }
}
