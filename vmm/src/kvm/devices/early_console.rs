//! A console for the first moment, at a hundredth of the cost of a serial port.
//!
//! The kernel's `earlycon=uart8250,mmio32` driver asks the line status register before every byte, and
//! then writes the byte. Here the status register is in a page that the guest may read like memory:
//! asking costs no exit. Writing to that page does not work, so KVM takes the write for device access, and
//! as the page is registered for coalescing, it puts the byte into a ring that it shares with us, and
//! lets the guest run on. Only when the ring is full, after about 170 bytes, does the guest exit.
//!
//! Whoever else has something to say must call [`EarlyConsole::drain`] first, or the order is lost.
//! Sources: Linux `drivers/tty/serial/8250/8250_early.c`; `Documentation/virt/kvm/api.rst`,
//! sections 4.35 (`KVM_MEM_READONLY`) and 4.116 (`KVM_REGISTER_COALESCED_MMIO`).

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use kvm_bindings::{KVM_MEM_READONLY, kvm_userspace_memory_region};
use kvm_ioctls::{Cap, IoEventAddress, VcpuFd, VmFd};

use super::coalesced_ring::CoalescedRing;
use crate::GuestRam;
use crate::kvm::arch::layout::EARLY_CONSOLE;
use crate::kvm::outbox::Outbox;

/// Bytes of address space that the console takes.
pub(crate) const SIZE: u64 = 0x1000;

/// Registers lie four bytes apart (`mmio32`).
const REGISTER_STRIDE: u64 = 4;
const TRANSMIT: u64 = 0;
const LINE_STATUS: u64 = 5 * REGISTER_STRIDE;
/// The transmitter is idle, and its holding register empty.
const ALWAYS_READY: u8 = 0x60;

/// The memory slot of the page; RAM has the first ones.
const SLOT: u32 = 8;

/// The early console.
#[derive(Debug)]
pub(crate) struct EarlyConsole {
    outbox: Arc<Outbox>,
    shortcut: Option<Shortcut>,
}

/// What spares the exits.
#[derive(Debug)]
struct Shortcut {
    ring: Mutex<CoalescedRing>,
    _page: StatusPage,
}

impl EarlyConsole {
    /// One that reads `page`, which the guest of `vm` sees; `vcpu` is any of its processors. Where KVM lacks
    /// what spares the exits, there is no page, and it works without.
    pub(crate) fn new(
        vm: &VmFd,
        vcpu: &VcpuFd,
        page: Option<StatusPage>,
        outbox: Arc<Outbox>,
    ) -> io::Result<Self> {
        let shortcut = page.map(|page| Shortcut::new(vm, vcpu, page)).transpose()?;
        Ok(Self { outbox, shortcut })
    }

    /// One that works without KVM's help: every access comes to an exit.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn without_shortcut(outbox: Arc<Outbox>) -> Self {
        Self { outbox, shortcut: None }
    }

    /// Carries on what is in the ring.
    pub(crate) fn drain(&self) {
        let Some(shortcut) = &self.shortcut else { return };
        let mut ring = shortcut.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        while let Some(write) = ring.pop() {
            if write.address == EARLY_CONSOLE + TRANSMIT {
                bytes.push(write.data[0]);
            }
        }
        // Under the lock still, or two who drain at once could swap what they found.
        if !bytes.is_empty() {
            self.outbox.console(&bytes);
        }
    }

    /// The guest reads at `offset`, and it did come to an exit.
    pub(crate) fn read(&self, offset: u64, data: &mut [u8]) {
        data.fill(0);
        if offset == LINE_STATUS && !data.is_empty() {
            data[0] = ALWAYS_READY;
        }
    }

    /// The guest writes at `offset`, and it did come to an exit.
    pub(crate) fn write(&self, offset: u64, data: &[u8]) {
        if offset == TRANSMIT && !data.is_empty() {
            self.outbox.console(&data[..1]);
        }
    }
}

/// The page that the guest reads: it says for ever that there is room for a byte.
#[derive(Debug)]
pub(crate) struct StatusPage(#[expect(dead_code, reason = "mapped by KVM")] GuestRam);

impl StatusPage {
    /// Gives it to the guest of `vm`, if KVM can do what the console needs.
    pub(crate) fn map(vm: &VmFd) -> io::Result<Option<Self>> {
        if !vm.check_extension(Cap::ReadonlyMem) || !vm.check_extension(Cap::CoalescedMmio) {
            return Ok(None);
        }
        let page = GuestRam::new(SIZE).map_err(io::Error::other)?;
        page.write(LINE_STATUS, &[ALWAYS_READY]).map_err(io::Error::other)?;
        let slot = kvm_userspace_memory_region {
            slot: SLOT,
            flags: KVM_MEM_READONLY,
            guest_phys_addr: EARLY_CONSOLE,
            memory_size: SIZE,
            userspace_addr: page.host_address().addr() as u64,
        };
        // SAFETY: the mapping is as long as the slot; it is dropped with the devices, after the
        // processors that could read it.
        unsafe { vm.set_user_memory_region(slot) }.map_err(io::Error::from)?;
        Ok(Some(Self(page)))
    }
}

impl Shortcut {
    fn new(vm: &VmFd, vcpu: &VcpuFd, page: StatusPage) -> io::Result<Self> {
        let size = u32::try_from(SIZE).map_err(io::Error::other)?;
        vm.register_coalesced_mmio(IoEventAddress::Mmio(EARLY_CONSOLE), size)
            .map_err(io::Error::from)?;
        Ok(Self { ring: Mutex::new(CoalescedRing::map(vcpu)?), _page: page })
    }
}
