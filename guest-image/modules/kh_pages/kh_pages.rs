// SPDX-License-Identifier: GPL-2.0

//! The page allocator and vmalloc, by order and flag.

use core::ptr::NonNull;
use kernel::bindings::{self, gfp_t};
use kernel::ffi::{c_ulong, c_void};
use kernel::page::PAGE_SIZE;
use kharness::prelude::*;

kharness::suite! {
    name: "kh_pages",
    description: "The page allocator and vmalloc, by order and flag",
    tests: [
        zeroed_pages_are_zero,
        blocks_are_aligned_to_their_size,
        an_exact_allocation_gives_the_rest_back,
        an_order_too_high_fails_quietly,
        vmalloc_is_page_aligned_and_contiguous,
        vzalloc_is_zero,
    ],
}

// mm/vmalloc.c; the prototypes that bindgen sees are macros around these.
extern "C" {
    fn vmalloc_noprof(size: c_ulong) -> *mut c_void;
    fn vzalloc_noprof(size: c_ulong) -> *mut c_void;
    fn vfree(at: *const c_void);
}

/// A block of 2^order pages.
struct Block {
    at: NonNull<u8>,
    order: u32,
}

impl Block {
    fn new(order: u32, flags: gfp_t) -> Result<Self> {
        // SAFETY: no requirements.
        let at = unsafe { bindings::get_free_pages_noprof(flags, order) };
        let at = NonNull::new(at as *mut u8).ok_or(ENOMEM)?;
        Ok(Self { at, order })
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the block is ours, and as long as this; every byte pattern is a valid u8.
        unsafe { core::slice::from_raw_parts_mut(self.at.as_ptr(), PAGE_SIZE << self.order) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: from `get_free_pages_noprof`, at this order.
        unsafe { bindings::free_pages(self.at.as_ptr() as c_ulong, self.order) };
    }
}

const ORDERS: [u32; 11] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, bindings::MAX_PAGE_ORDER];

/// Pages that were in use before are zero when that is asked for, at every order.
fn zeroed_pages_are_zero(test: &Test) -> Outcome {
    let zero = if test.repair() { 0 } else { bindings::__GFP_ZERO };
    test.each(&ORDERS, |_, order| {
        for _ in 0..2 {
            Block::new(*order, bindings::GFP_KERNEL)?.bytes().fill(0x5a);
            let mut block = Block::new(*order, bindings::GFP_KERNEL | zero)?;
            check_eq!(block.bytes().iter().position(|byte| *byte != 0), None);
            block.bytes().fill(0xa5);
        }
        Ok(())
    })
}

fn blocks_are_aligned_to_their_size(test: &Test) -> Outcome {
    test.each(&ORDERS, |_, order| {
        let mut block = Block::new(*order, bindings::GFP_KERNEL)?;
        let odd = usize::from(test.repair());
        check_eq!((block.bytes().as_ptr() as usize + odd) % (PAGE_SIZE << order), 0);
        Ok(())
    })
}

/// Free pages of the system.
fn free_pages() -> usize {
    let mut info = bindings::sysinfo::default();
    // SAFETY: `info` is ours.
    unsafe { bindings::si_meminfo(&mut info) };
    info.freeram as usize
}

/// Five pages cost five, where the power of two above would cost eight.
fn an_exact_allocation_gives_the_rest_back(test: &Test) -> Outcome {
    const PAGES: usize = 5;
    const BLOCKS: usize = 512;
    // Lists of each CPU and other tasks make the count of free pages inexact by some hundreds.
    const SLACK: usize = BLOCKS / 2;
    let size = if test.repair() { 8 * PAGE_SIZE } else { PAGES * PAGE_SIZE };
    let mut blocks = KVVec::with_capacity(BLOCKS, GFP_KERNEL)?;
    let before = free_pages();
    for _ in 0..BLOCKS {
        // SAFETY: no requirements.
        let at = unsafe { bindings::alloc_pages_exact_noprof(size, bindings::GFP_KERNEL) };
        blocks.push(NonNull::new(at).ok_or(ENOMEM)?, GFP_KERNEL)?;
    }
    let taken = before.saturating_sub(free_pages());
    for at in &blocks {
        // SAFETY: from `alloc_pages_exact_noprof`, of this size.
        unsafe { bindings::free_pages_exact(at.as_ptr(), size) };
    }
    note!("{} blocks of {} pages took {} pages", BLOCKS, PAGES, taken);
    check!(taken > BLOCKS * PAGES - SLACK);
    check!(taken < BLOCKS * PAGES + SLACK);
    Ok(())
}

/// Beyond the highest order there is nothing, and with `__GFP_NOWARN` no word about it.
fn an_order_too_high_fails_quietly(test: &Test) -> Outcome {
    let quiet = if test.repair() { 0 } else { bindings::__GFP_NOWARN };
    for order in [bindings::MAX_PAGE_ORDER + 1, 20, 31] {
        check!(Block::new(order, bindings::GFP_KERNEL | quiet).is_err());
    }
    Ok(())
}

/// Memory from vmalloc.
struct Mapped {
    at: NonNull<u8>,
    size: usize,
}

impl Mapped {
    fn new(size: usize, zero: bool) -> Result<Self> {
        // SAFETY: no requirements; tests run in task context.
        let at = unsafe {
            if zero { vzalloc_noprof(size as c_ulong) } else { vmalloc_noprof(size as c_ulong) }
        };
        Ok(Self { at: NonNull::new(at.cast()).ok_or(ENOMEM)?, size })
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the area is ours, and as long as this.
        unsafe { core::slice::from_raw_parts_mut(self.at.as_ptr(), self.size) }
    }

    /// The page behind the byte at `offset`.
    fn page(&self, offset: usize) -> *mut bindings::page {
        // SAFETY: the address is within the area.
        unsafe { bindings::vmalloc_to_page(self.at.as_ptr().add(offset).cast()) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: from vmalloc.
        unsafe { vfree(self.at.as_ptr().cast()) };
    }
}

/// Contiguous for whoever uses it, whatever pages are behind it; larger than any block of pages.
fn vmalloc_is_page_aligned_and_contiguous(test: &Test) -> Outcome {
    test.each(&[1, PAGE_SIZE + 1, 8 << 20], |_, size| {
        let mut area = Mapped::new(*size, false)?;
        let odd = usize::from(test.repair());
        check_eq!((area.bytes().as_ptr() as usize + odd) % PAGE_SIZE, 0);
        // SAFETY: only looks at the address.
        check!(unsafe { bindings::is_vmalloc_addr(area.at.as_ptr().cast()) });
        for (number, byte) in area.bytes().iter_mut().enumerate() {
            *byte = number as u8;
        }
        let wrong = area.bytes().iter().enumerate().find(|(number, byte)| **byte != *number as u8);
        check!(wrong.is_none());
        check!(*size <= PAGE_SIZE || area.page(0) != area.page(PAGE_SIZE));
        Ok(())
    })
}

fn vzalloc_is_zero(test: &Test) -> Outcome {
    test.each(&[1, 3 * PAGE_SIZE, 1 << 20], |_, size| {
        for _ in 0..2 {
            Mapped::new(*size, false)?.bytes().fill(0x5a);
            let mut area = Mapped::new(*size, !test.repair())?;
            check_eq!(area.bytes().iter().position(|byte| *byte != 0), None);
        }
        Ok(())
    })
}
