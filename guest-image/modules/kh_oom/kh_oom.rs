// SPDX-License-Identifier: GPL-2.0

//! Takes the system's memory from inside the kernel.

use core::ptr::NonNull;
use kernel::bindings::{self, gfp_t};
use kernel::ffi::c_ulong;
use kernel::page::PAGE_SIZE;
use kharness::prelude::*;

kharness::suite! {
    name: "kh_oom",
    description: "Takes the system's memory from inside the kernel",
    params: {
        mib: u32 {
            default: 0,
            description: "MiB that has_others_killed takes",
        },
    },
    tests: [gives_up_when_asked_to, has_others_killed],
}

/// Single pages, freed when dropped.
#[derive(Default)]
struct Pages(KVVec<NonNull<u8>>);

impl Pages {
    /// Takes up to `most` pages; fewer when the kernel refuses.
    fn take(&mut self, most: usize, flags: gfp_t) -> Result {
        // Before the memory is gone: growing the list in between would fail first.
        self.0.reserve(most, GFP_KERNEL)?;
        for _ in 0..most {
            // SAFETY: no requirements.
            let at = unsafe { bindings::get_free_pages_noprof(flags, 0) };
            let Some(at) = NonNull::new(at as *mut u8) else { break };
            self.0.push(at, GFP_KERNEL)?;
        }
        Ok(())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        for at in &self.0 {
            // SAFETY: each came from `get_free_pages_noprof`, at order 0.
            unsafe { bindings::free_pages(at.as_ptr() as c_ulong, 0) };
        }
    }
}

/// Pages of the system, and those of them that are free.
fn memory() -> (usize, usize) {
    let mut info = bindings::sysinfo::default();
    // SAFETY: `info` is ours.
    unsafe { bindings::si_meminfo(&mut info) };
    (info.totalram as usize, info.freeram as usize)
}

/// `__GFP_NORETRY` is refused in the end, and nobody dies of it.
fn gives_up_when_asked_to(test: &Test) -> Outcome {
    let retry = if test.repair() { 0 } else { 1 << bindings::___GFP_NORETRY_BIT };
    let (total, free) = memory();
    let mut pages = Pages::default();
    pages.take(total, bindings::GFP_KERNEL | bindings::__GFP_NOWARN | retry)?;
    let taken = pages.0.len();
    drop(pages);
    note!("took {} of {} free pages", taken, free);
    check!(taken > free / 2 && taken < total);
    let (_, again) = memory();
    check!(again > free - free / 10);
    Ok(())
}

/// `GFP_KERNEL` has the OOM killer take memory from tasks, who have done nothing.
fn has_others_killed(test: &Test) -> Outcome {
    let mib = if test.repair() { 1 } else { module_parameters::mib.value() as usize };
    let wanted = mib * ((1 << 20) / PAGE_SIZE);
    let mut pages = Pages::default();
    pages.take(wanted, bindings::GFP_KERNEL)?;
    check_eq!(pages.0.len(), wanted);
    Ok(())
}
