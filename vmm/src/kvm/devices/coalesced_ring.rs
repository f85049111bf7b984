//! The ring in which KVM collects writes to devices instead of exiting for each.
//!
//! Source: Linux `include/uapi/linux/kvm.h`, `struct kvm_coalesced_mmio_ring`, and
//! `virt/kvm/coalesced_mmio.c`: KVM adds at `last`, we take at `first`, one entry stays free.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use kvm_bindings::{KVM_COALESCED_MMIO_PAGE_OFFSET, kvm_coalesced_mmio, kvm_coalesced_mmio_ring};
use kvm_ioctls::VcpuFd;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

const PAGE: usize = 4096;
const ENTRIES: usize =
    (PAGE - size_of::<kvm_coalesced_mmio_ring>()) / size_of::<kvm_coalesced_mmio>();

/// A write that the guest did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Write {
    /// Guest-physical address.
    pub(super) address: u64,
    /// What was written, from the front.
    pub(super) data: [u8; 8],
}

/// The ring of a machine.
#[derive(Debug)]
pub(super) struct CoalescedRing {
    page: NonNull<kvm_coalesced_mmio_ring>,
}

// SAFETY: the mapping belongs to the value alone on our side, and may be used from any thread.
unsafe impl Send for CoalescedRing {}

impl CoalescedRing {
    /// Maps the ring of the machine that `vcpu` is part of.
    pub(super) fn map(vcpu: &VcpuFd) -> io::Result<Self> {
        // SAFETY: the descriptor stays open during this function.
        let fd = unsafe { BorrowedFd::borrow_raw(vcpu.as_raw_fd()) };
        let offset = u64::from(KVM_COALESCED_MMIO_PAGE_OFFSET) * PAGE as u64;
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
        let page = unsafe {
            let access = ProtFlags::READ | ProtFlags::WRITE;
            mmap(std::ptr::null_mut(), PAGE, access, MapFlags::SHARED, fd, offset)
        }?;
        NonNull::new(page.cast()).map(|page| Self { page }).ok_or_else(io::Error::last_os_error)
    }

    /// Takes the oldest write.
    pub(super) fn pop(&mut self) -> Option<Write> {
        let first = self.first().load(Ordering::Relaxed) as usize;
        // Acquire: the entry is read after the kernel's word that it is there.
        let last = self.last().load(Ordering::Acquire) as usize;
        if first == last || first >= ENTRIES {
            return None;
        }
        // SAFETY: `first` is below the number of entries that follow the header in the page.
        let entry = unsafe {
            let entries = &raw const (*self.page.as_ptr()).coalesced_mmio;
            entries.cast::<kvm_coalesced_mmio>().add(first).read()
        };
        // Release: the kernel may overwrite the entry only after it was read.
        let next = u32::try_from((first + 1) % ENTRIES).unwrap_or(0);
        self.first().store(next, Ordering::Release);
        Some(Write { address: entry.phys_addr, data: entry.data })
    }

    fn first(&self) -> &AtomicU32 {
        // SAFETY: an aligned word in the mapping, which lives as long as `self`.
        unsafe { AtomicU32::from_ptr(&raw mut (*self.page.as_ptr()).first) }
    }

    fn last(&self) -> &AtomicU32 {
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr(&raw mut (*self.page.as_ptr()).last) }
    }
}

impl Drop for CoalescedRing {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map`, and nothing refers into it any more.
        // An error would mean that it is gone already.
        let _ = unsafe { munmap(self.page.as_ptr().cast(), PAGE) };
    }
}
