//! The guest as gdb sees it: registers, memory, breakpoints.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gdbstub::common::Tid;
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::multithread::{MultiThreadBase, MultiThreadResumeOps};
use gdbstub::target::ext::breakpoints::{
    Breakpoints as BreakpointsExt, BreakpointsOps, HwBreakpoint, HwBreakpointOps, HwWatchpoint,
    HwWatchpointOps, SwBreakpoint, SwBreakpointOps, WatchKind,
};
use gdbstub::target::{Target, TargetError, TargetResult};
use gdbstub_arch::x86::X86_64_SSE;
use gdbstub_arch::x86::reg::X86_64CoreRegs;
use vm_memory::{Bytes, GuestAddress};

use super::breakpoints::{Breakpoints, INT3, Watch};
use super::registers;
use super::resume::Orders;
use crate::kvm::shared::Shared;
use crate::kvm::vcpu::Processor;

const PAGE: u64 = 0x1000;

/// A guest whose processors are all stopped, but while gdb lets it run.
pub(super) struct Guest {
    pub(super) shared: Arc<Shared>,
    pub(super) processors: Vec<Arc<Mutex<Processor>>>,
    pub(super) breakpoints: Breakpoints,
    pub(super) orders: Orders,
}

impl Guest {
    pub(super) fn new(shared: Arc<Shared>, processors: Vec<Arc<Mutex<Processor>>>) -> Self {
        Self { shared, processors, breakpoints: Breakpoints::default(), orders: Orders::default() }
    }

    /// Processor `cpu`; waits for its thread to let go of it.
    pub(super) fn processor(&self, cpu: usize) -> MutexGuard<'_, Processor> {
        self.processors[cpu].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The processor that gdb calls `tid`.
    fn named(&self, tid: Tid) -> TargetResult<MutexGuard<'_, Processor>, Self> {
        let cpu = cpu_of(tid);
        if cpu < self.processors.len() {
            Ok(self.processor(cpu))
        } else {
            Err(TargetError::NonFatal)
        }
    }

    /// Calls `access` with each piece of `length` bytes at virtual `address`, which lies in one page: its
    /// offset, its physical address, its length. Gives how many bytes there were.
    fn each_piece(
        &self,
        cpu: usize,
        address: u64,
        length: usize,
        mut access: impl FnMut(usize, GuestAddress, usize) -> bool,
    ) -> usize {
        let processor = self.processor(cpu);
        let mut done = 0;
        while done < length {
            let Some(at) = address.checked_add(done as u64) else { break };
            let in_page = usize::try_from(PAGE - at % PAGE).unwrap_or(1);
            let count = in_page.min(length - done);
            let there = processor
                .translate(at)
                .is_some_and(|physical| access(done, GuestAddress(physical), count));
            if !there {
                break;
            }
            done += count;
        }
        done
    }

    pub(super) fn read(&self, cpu: usize, address: u64, data: &mut [u8]) -> usize {
        let view = self.shared.memory.view();
        let length = data.len();
        self.each_piece(cpu, address, length, |offset, physical, count| {
            view.read_slice(&mut data[offset..offset + count], physical).is_ok()
        })
    }

    pub(super) fn write(&self, cpu: usize, address: u64, data: &[u8]) -> bool {
        let view = self.shared.memory.view();
        let done = self.each_piece(cpu, address, data.len(), |offset, physical, count| {
            view.write_slice(&data[offset..offset + count], physical).is_ok()
        });
        done == data.len()
    }

    /// Takes all breakpoints away, as when gdb has gone.
    pub(super) fn forget(&mut self) {
        for (address, byte) in std::mem::take(&mut self.breakpoints.code) {
            self.write(0, address, &[byte]);
        }
        self.breakpoints.clear_watches();
    }
}

fn cpu_of(tid: Tid) -> usize {
    tid.get() - 1
}

impl Target for Guest {
    type Arch = X86_64_SSE;
    type Error = io::Error;

    fn base_ops(&mut self) -> BaseOps<'_, Self::Arch, Self::Error> {
        BaseOps::MultiThread(self)
    }

    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Self>> {
        Some(self)
    }
}

impl MultiThreadBase for Guest {
    fn read_registers(&mut self, regs: &mut X86_64CoreRegs, tid: Tid) -> TargetResult<(), Self> {
        let (general, special, fpu) = self.named(tid)?.all_registers()?;
        *regs = registers::shown(&general, &special, &fpu);
        Ok(())
    }

    fn write_registers(&mut self, regs: &X86_64CoreRegs, tid: Tid) -> TargetResult<(), Self> {
        let processor = self.named(tid)?;
        let (mut general, ..) = processor.all_registers()?;
        registers::change(&mut general, regs);
        Ok(processor.set_general_registers(&general)?)
    }

    fn read_addrs(&mut self, start: u64, data: &mut [u8], tid: Tid) -> TargetResult<usize, Self> {
        drop(self.named(tid)?);
        match self.read(cpu_of(tid), start, data) {
            0 if !data.is_empty() => Err(TargetError::NonFatal),
            count => Ok(count),
        }
    }

    fn write_addrs(&mut self, start: u64, data: &[u8], tid: Tid) -> TargetResult<(), Self> {
        drop(self.named(tid)?);
        self.write(cpu_of(tid), start, data).then_some(()).ok_or(TargetError::NonFatal)
    }

    fn list_active_threads(&mut self, active: &mut dyn FnMut(Tid)) -> io::Result<()> {
        (1..=self.processors.len()).filter_map(Tid::new).for_each(active);
        Ok(())
    }

    fn support_resume(&mut self) -> Option<MultiThreadResumeOps<'_, Self>> {
        Some(self)
    }
}

impl BreakpointsExt for Guest {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_breakpoint(&mut self) -> Option<HwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

impl SwBreakpoint for Guest {
    fn add_sw_breakpoint(&mut self, address: u64, _: usize) -> TargetResult<bool, Self> {
        if self.breakpoints.code.contains_key(&address) {
            return Ok(true);
        }
        let mut byte = [0];
        let there = self.read(0, address, &mut byte) == 1 && self.write(0, address, &[INT3]);
        if there {
            self.breakpoints.code.insert(address, byte[0]);
        }
        Ok(there)
    }

    fn remove_sw_breakpoint(&mut self, address: u64, _: usize) -> TargetResult<bool, Self> {
        let byte = self.breakpoints.code.remove(&address);
        Ok(byte.is_some_and(|byte| self.write(0, address, &[byte])))
    }
}

impl HwBreakpoint for Guest {
    fn add_hw_breakpoint(&mut self, address: u64, _: usize) -> TargetResult<bool, Self> {
        Ok(self.breakpoints.add(Watch { address, length: 1, kind: None }))
    }

    fn remove_hw_breakpoint(&mut self, address: u64, _: usize) -> TargetResult<bool, Self> {
        Ok(self.breakpoints.remove(Watch { address, length: 1, kind: None }))
    }
}

impl HwWatchpoint for Guest {
    fn add_hw_watchpoint(
        &mut self,
        address: u64,
        length: u64,
        kind: WatchKind,
    ) -> TargetResult<bool, Self> {
        Ok(self.breakpoints.add(Watch { address, length, kind: Some(kind) }))
    }

    fn remove_hw_watchpoint(
        &mut self,
        address: u64,
        length: u64,
        kind: WatchKind,
    ) -> TargetResult<bool, Self> {
        Ok(self.breakpoints.remove(Watch { address, length, kind: Some(kind) }))
    }
}
