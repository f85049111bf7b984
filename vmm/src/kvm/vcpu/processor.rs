//! One processor: its set-up, and one turn in the guest.

use std::io;

use kvm_bindings::{CpuId, KVM_MAX_CPUID_ENTRIES, kvm_debug_exit_arch};
use kvm_ioctls::{VcpuExit, VcpuFd, VmFd};

use super::counters::{Counters, ExitKind};
use super::{failure, port_io, registers};
use crate::kvm::arch::cpuid::{self, Place};
use crate::kvm::arch::entry::{Entry, floating_point};
use crate::kvm::arch::{local_apic, msrs};
use crate::kvm::devices::{Devices, Request};
use crate::kvm::memory::GuestMemory;
use crate::{Registers, Stop};

/// `KVM_SYSTEM_EVENT_*` of `linux/kvm.h`.
const SYSTEM_EVENT_SHUTDOWN: u32 = 1;
const SYSTEM_EVENT_RESET: u32 = 2;

/// Why a processor cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ProcessorError {
    /// KVM refused.
    #[error("vCPU {cpu}: KVM refuses {what}: {source}")]
    Refused {
        /// Its number.
        cpu: u8,
        /// What was asked of KVM.
        what: &'static str,
        /// The host's words.
        source: io::Error,
    },
    /// KVM took some of the registers only.
    #[error("vCPU {cpu}: KVM refuses model-specific register {register:#x}")]
    Register {
        /// Its number.
        cpu: u8,
        /// The first register that it did not take.
        register: u32,
    },
}

/// What a turn in the guest led to.
#[derive(Debug)]
pub(super) enum Turn {
    /// The guest can go on. What it came out for is done only when it is entered the next time.
    Over,
    /// The guest was interrupted, with nothing half done.
    Interrupted,
    /// The debugger is to know.
    Debug(kvm_debug_exit_arch),
    /// The machine is to stop.
    Stop(Stop),
}

/// A processor.
#[derive(Debug)]
pub(crate) struct Processor {
    fd: VcpuFd,
    cpu: u8,
}

impl Processor {
    /// Creates it in `vm`; all but processor 0 wait for that one to start them.
    pub(crate) fn new(vm: &VmFd, place: Place, supported: &CpuId) -> Result<Self, ProcessorError> {
        let processor = Self::create(vm, place)?;
        processor.set_up(place, supported)?;
        Ok(processor)
    }

    /// Creates it as it comes.
    pub(crate) fn create(vm: &VmFd, place: Place) -> Result<Self, ProcessorError> {
        let cpu = place.cpu;
        let fd = vm.create_vcpu(cpu.into()).map_err(refused(cpu, "to create it"))?;
        Ok(Self { fd, cpu })
    }

    /// For who needs the descriptor to reach what all processors share.
    pub(crate) fn fd(&self) -> &VcpuFd {
        &self.fd
    }

    fn set_up(&self, place: Place, supported: &CpuId) -> Result<(), ProcessorError> {
        // CPUID comes first: which model-specific registers there are depends on it.
        self.set_cpuid(&cpuid::of_processor(supported, place))?;
        self.set_msrs()?;
        self.fd.set_fpu(&floating_point()).map_err(self.refused("its floating-point state"))?;
        let mut apic = self.fd.get_lapic().map_err(self.refused("to show its local APIC"))?;
        local_apic::connect(&mut apic);
        self.fd.set_lapic(&apic).map_err(self.refused("its local APIC"))
    }

    /// Sets what CPUID tells the guest.
    pub(crate) fn set_cpuid(&self, cpuid: &CpuId) -> Result<(), ProcessorError> {
        self.fd.set_cpuid2(cpuid).map_err(self.refused("its CPUID"))
    }

    /// What CPUID tells the guest. It may be more than was set.
    pub(crate) fn cpuid(&self) -> Result<CpuId, ProcessorError> {
        self.fd.get_cpuid2(KVM_MAX_CPUID_ENTRIES).map_err(self.refused("to show its CPUID"))
    }

    fn set_msrs(&self) -> Result<(), ProcessorError> {
        let (cpu, what) = (self.cpu, "its model-specific registers");
        let refused = msrs::write(&self.fd, &msrs::at_entry());
        match refused.map_err(|error| self.refuse(what, error))? {
            None => Ok(()),
            Some(register) => Err(ProcessorError::Register { cpu, register }),
        }
    }

    /// Sets the registers with which the kernel is entered.
    pub(crate) fn enter(&self, entry: Entry) -> Result<(), ProcessorError> {
        let mut sregs =
            self.fd.get_sregs().map_err(self.refused("to show its special registers"))?;
        entry.enter(&mut sregs);
        self.fd.set_sregs(&sregs).map_err(self.refused("its special registers"))?;
        self.fd.set_regs(&entry.registers()).map_err(self.refused("its general registers"))
    }

    pub(super) fn refused(
        &self,
        what: &'static str,
    ) -> impl Fn(kvm_ioctls::Error) -> ProcessorError + use<> {
        refused(self.cpu, what)
    }

    pub(super) fn refuse(&self, what: &'static str, source: io::Error) -> ProcessorError {
        ProcessorError::Refused { cpu: self.cpu, what, source }
    }

    /// Its registers.
    pub(crate) fn registers(&self) -> io::Result<Registers> {
        let regs = self.fd.get_regs().map_err(io::Error::from)?;
        let sregs = self.fd.get_sregs().map_err(io::Error::from)?;
        Ok(registers::list(&regs, &sregs))
    }

    /// Where [`Seat`](super::kick::Seat) is to set the flag that keeps it out of the guest.
    pub(super) fn immediate_exit(&mut self) -> *mut u8 {
        &raw mut self.fd.get_kvm_run().immediate_exit
    }

    /// Takes back a kick that has been heard.
    pub(super) fn clear_kick(&mut self) {
        self.fd.set_kvm_immediate_exit(0);
    }

    /// Has its next turns end before the guest does anything, but for what it had begun.
    pub(super) fn stay_out(&mut self) {
        self.fd.set_kvm_immediate_exit(1);
    }

    /// Enters the guest, and serves what it comes out for.
    pub(super) fn turn(
        &mut self,
        devices: &Devices,
        memory: &GuestMemory,
        counters: &Counters,
    ) -> Turn {
        let exit = self.fd.run();
        // What the guest wrote before it came out comes before what it came out for.
        devices.drain();
        counters.count(kind_of(&exit));
        let failure = match exit {
            Ok(VcpuExit::IoIn(..) | VcpuExit::IoOut(..)) => {
                return served(port_io::serve(self.fd.get_kvm_run(), devices));
            }
            Ok(VcpuExit::MmioRead(address, data)) => {
                devices.read_memory(address, data);
                return Turn::Over;
            }
            Ok(VcpuExit::MmioWrite(address, data)) => {
                devices.write_memory(address, data);
                return Turn::Over;
            }
            Ok(VcpuExit::Debug(exit)) => return Turn::Debug(exit),
            Ok(VcpuExit::Intr) => return Turn::Interrupted,
            Err(error) if is_interruption(error) => return Turn::Interrupted,
            Ok(exit) => match end_of(&exit) {
                Ok(stop) => return Turn::Stop(stop),
                Err(what) => what,
            },
            Err(error) => format!("KVM_RUN fails: {}", io::Error::from(error)),
        };
        Turn::Stop(failure::describe(self, &failure, memory))
    }

    pub(super) fn fd_mut(&mut self) -> &mut VcpuFd {
        &mut self.fd
    }

    pub(super) fn number(&self) -> u8 {
        self.cpu
    }
}

fn refused(cpu: u8, what: &'static str) -> impl Fn(kvm_ioctls::Error) -> ProcessorError {
    move |error| ProcessorError::Refused { cpu, what, source: error.into() }
}

fn kind_of(exit: &Result<VcpuExit, kvm_ioctls::Error>) -> ExitKind {
    match exit {
        Ok(VcpuExit::IoIn(..)) => ExitKind::PortRead,
        Ok(VcpuExit::IoOut(..)) => ExitKind::PortWrite,
        Ok(VcpuExit::MmioRead(..)) => ExitKind::MemoryRead,
        Ok(VcpuExit::MmioWrite(..)) => ExitKind::MemoryWrite,
        Ok(VcpuExit::Intr) => ExitKind::Interrupted,
        Err(error) if is_interruption(*error) => ExitKind::Interrupted,
        _ => ExitKind::Other,
    }
}

/// A kick; or `EAGAIN`, with which a processor comes out once when another one starts it.
fn is_interruption(error: kvm_ioctls::Error) -> bool {
    matches!(error.errno(), libc::EINTR | libc::EAGAIN)
}

fn served(request: Option<Request>) -> Turn {
    match request {
        None => Turn::Over,
        Some(Request::PowerOff) => Turn::Stop(Stop::PowerOff),
        Some(Request::Reset) => Turn::Stop(Stop::Reset),
    }
}

/// What an exit that ends the machine means; or its words, if it should not happen.
fn end_of(exit: &VcpuExit) -> Result<Stop, String> {
    match exit {
        VcpuExit::Shutdown => Ok(Stop::TripleFault),
        VcpuExit::SystemEvent(SYSTEM_EVENT_SHUTDOWN, _) => Ok(Stop::PowerOff),
        VcpuExit::SystemEvent(SYSTEM_EVENT_RESET, _) => Ok(Stop::Reset),
        VcpuExit::InternalError => Err("internal error of KVM".into()),
        VcpuExit::FailEntry(reason, cpu) => Err(format!(
            "the host's processor {cpu} refuses to enter the guest: reason {reason:#x}"
        )),
        other => Err(format!("unexpected exit from the guest: {other:?}")),
    }
}
