//! What a processor holds, to be put into another one later, or back into the same.
//!
//! The order is KVM's, and each edge of it has a reason; it is that of Linux's
//! `Documentation/virt/kvm/api.rst` and of what `arch/x86/kvm` does behind it.

use std::io;

use kvm_bindings::{
    CpuId, kvm_cpuid_entry2, kvm_debugregs, kvm_lapic_state, kvm_mp_state, kvm_regs, kvm_sregs,
    kvm_vcpu_events, kvm_xcrs, kvm_xsave,
};
use serde::{Deserialize, Serialize};

use super::processor::{Processor, ProcessorError};
use super::tsc;
use crate::kvm::arch::local_apic;
use crate::kvm::arch::msrs::{self, Register};

/// `EFER.SVME`, and `CR4.VMXE`: the guest has, or may have, guests of its own.
const EFER_SVME: u64 = 1 << 12;
const CR4_VMXE: u64 = 1 << 13;

/// All that a processor holds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProcessorState {
    pub(crate) cpuid: Vec<kvm_cpuid_entry2>,
    /// Frequency of its time stamp counter.
    pub(crate) tsc_khz: u32,
    /// The counter itself.
    tsc: u64,
    mp_state: kvm_mp_state,
    regs: kvm_regs,
    sregs: kvm_sregs,
    xsave: kvm_xsave,
    xcrs: kvm_xcrs,
    debug_registers: kvm_debugregs,
    lapic: kvm_lapic_state,
    msrs: Vec<Register>,
    /// When its timer goes off, by its counter; 0 for never.
    deadline: u64,
    events: kvm_vcpu_events,
}

impl Processor {
    /// Gives it the CPUID of a saved one: which model-specific registers there are depends on it.
    pub(crate) fn set_saved_cpuid(&self, state: &ProcessorState) -> Result<(), ProcessorError> {
        let cpuid = CpuId::from_entries(&state.cpuid)
            .map_err(|_| self.refuse("its CPUID", io::Error::other("too many entries")))?;
        self.set_cpuid(&cpuid)
    }

    /// What it holds. It must be out of the guest, with nothing half done; `host_counter` is the host's time
    /// stamp counter at the moment that the state is to be of, the same for all processors.
    pub(crate) fn save(
        &self,
        registers: &[u32],
        host_counter: u64,
    ) -> Result<ProcessorState, ProcessorError> {
        let fd = self.fd();
        // First: asking for it lets a pending start of the processor take effect, which changes the rest.
        let mp_state = fd.get_mp_state().map_err(self.refused("to tell whether it runs"))?;
        let regs = fd.get_regs().map_err(self.refused("to show its general registers"))?;
        let sregs = fd.get_sregs().map_err(self.refused("to show its special registers"))?;
        if sregs.efer & EFER_SVME != 0 || sregs.cr4 & CR4_VMXE != 0 {
            let why = io::Error::other("the guest uses virtualisation itself");
            return Err(self.refuse("to be saved", why));
        }
        let xsave = fd.get_xsave().map_err(self.refused("to show its extended state"))?;
        let xcrs = fd.get_xcrs().map_err(self.refused("to show its extended control"))?;
        let debug_registers =
            fd.get_debug_regs().map_err(self.refused("to show its debug registers"))?;
        let lapic = fd.get_lapic().map_err(self.refused("to show its local APIC"))?;
        let tsc_khz = self.clock_khz()?;
        let offset = tsc::offset(fd).map_err(|error| self.refuse(CLOCK, error))?;
        let cpuid = self.cpuid()?.as_slice().to_vec();
        let msrs = msrs::read(fd, registers).map_err(|error| self.refuse(REGISTERS, error))?;
        let deadline = msrs::read(fd, &[msrs::TSC_DEADLINE])
            .map_err(|error| self.refuse(REGISTERS, error))?
            .first()
            .map_or(0, |register| register.1);
        // Last: asking for it turns exceptions that are on their way into ones that are pending.
        let events = fd.get_vcpu_events().map_err(self.refused("to show its events"))?;
        Ok(ProcessorState {
            cpuid,
            tsc_khz,
            tsc: host_counter.wrapping_add(offset),
            mp_state,
            regs,
            sregs,
            xsave,
            xcrs,
            debug_registers,
            lapic,
            msrs,
            deadline,
            events,
        })
    }

    /// Puts back what it held, but for its time, which [`Processor::set_time`] does.
    pub(crate) fn restore(&self, state: &ProcessorState) -> Result<(), ProcessorError> {
        let fd = self.fd();
        fd.set_mp_state(state.mp_state).map_err(self.refused("to run or wait"))?;
        // Takes back pending exceptions, so before the events.
        fd.set_regs(&state.regs).map_err(self.refused("its general registers"))?;
        // Where the local APIC is, and in which mode, so before it.
        fd.set_sregs(&state.sregs).map_err(self.refused("its special registers"))?;
        // SAFETY: KVM reads as much as `KVM_GET_XSAVE` gave, the size of the structure.
        unsafe { fd.set_xsave(&state.xsave) }.map_err(self.refused("its extended state"))?;
        // Without XSAVE there are none, and KVM takes none.
        if state.xcrs.nr_xcrs > 0 {
            fd.set_xcrs(&state.xcrs).map_err(self.refused("its extended control"))?;
        }
        fd.set_debug_regs(&state.debug_registers).map_err(self.refused("its debug registers"))?;
        // Before the deadline among the registers, which is dropped while the timer is in another mode.
        fd.set_lapic(&state.lapic).map_err(self.refused("its local APIC"))?;
        self.write(&self.changed(&state.msrs)?)?;
        fd.set_vcpu_events(&state.events).map_err(self.refused("its events"))
    }

    /// Sets its counter to what it was when the host's counter is `host_counter`, and then its timer.
    pub(crate) fn set_time(
        &self,
        state: &ProcessorState,
        host_counter: u64,
    ) -> Result<(), ProcessorError> {
        let offset = state.tsc.wrapping_sub(host_counter);
        tsc::set_offset(self.fd(), offset).map_err(|error| self.refuse(CLOCK, error))?;
        // A timer that went off as the state was taken may be on its way to the local APIC: it goes off again.
        let lost = state.deadline == 0 && local_apic::awaits_deadline(&state.lapic);
        let deadline = if lost { state.tsc } else { state.deadline };
        self.write(&[Register(msrs::TSC_DEADLINE, deadline)])?;
        // Tells the guest that it was stopped, so that its watchdogs forgive. Without kvmclock there is nobody to tell.
        match self.fd().kvmclock_ctrl() {
            Err(error) if error.errno() != libc::EINVAL => {
                Err(self.refuse("to tell the guest that it was stopped", error.into()))
            }
            _ => Ok(()),
        }
    }

    /// Frequency of its time stamp counter, in kHz.
    pub(crate) fn clock_khz(&self) -> Result<u32, ProcessorError> {
        self.fd().get_tsc_khz().map_err(self.refused("to tell its clock's frequency"))
    }

    /// Those of `registers`, which are in order, that hold something else now. Writing one may have effects
    /// although its value does not change.
    fn changed(&self, registers: &[Register]) -> Result<Vec<Register>, ProcessorError> {
        let numbers: Vec<u32> = registers.iter().map(|register| register.0).collect();
        let now = msrs::read(self.fd(), &numbers).map_err(|error| self.refuse(REGISTERS, error))?;
        let is_new = |register: &&Register| now.binary_search(register).is_err();
        Ok(registers.iter().filter(is_new).copied().collect())
    }

    fn write(&self, registers: &[Register]) -> Result<(), ProcessorError> {
        match msrs::write(self.fd(), registers).map_err(|error| self.refuse(REGISTERS, error))? {
            None => Ok(()),
            Some(register) => Err(ProcessorError::Register { cpu: self.number(), register }),
        }
    }
}

const CLOCK: &str = "to set its clock (KVM_VCPU_TSC_OFFSET, Linux 5.16)";
const REGISTERS: &str = "its model-specific registers";
