// SPDX-License-Identifier: GPL-2.0

//! What an allocation costs: numbers for the gate to compare between kernels.

use core::ptr::NonNull;
use kernel::bindings;
use kernel::ffi::c_ulong;
use kernel::time::{Instant, Monotonic};
use kharness::prelude::*;

kharness::suite! {
    name: "kh_alloc_time",
    description: "What an allocation costs",
    params: {
        delay_ns: u32 {
            default: 0,
            description: "Planted: nanoseconds by which each allocation is slower",
        },
    },
    tests: [slab_objects, pages, page_blocks],
}

/// Allocations that are timed together, so that reading the clock costs little beside them.
const BATCH: i64 = 64;
const BATCHES: usize = 200;

fn nanoseconds_since(start: Instant<Monotonic>) -> i64 {
    start.elapsed().as_nanos()
}

/// The planted delay: a slower allocator.
fn delay() {
    let length = i64::from(module_parameters::delay_ns.value());
    if length > 0 {
        let start = Instant::<Monotonic>::now();
        while nanoseconds_since(start) < length {}
    }
}

/// Prints what one of the allocations of `allocate` costs: of the fastest batch, because the rest were
/// disturbed by interrupts, or by the host.
fn measure(name: &str, mut allocate: impl FnMut() -> Result) -> Outcome {
    let mut best = i64::MAX;
    for _ in 0..BATCHES {
        let start = Instant::<Monotonic>::now();
        for _ in 0..BATCH {
            delay();
            allocate()?;
        }
        best = best.min(nanoseconds_since(start));
    }
    check!(best > 0);
    note!("kharness: metric {} {}.{:02} ns", name, best / BATCH, best % BATCH * 100 / BATCH);
    Ok(())
}

/// An object of kmalloc is taken and given back.
fn slab_objects(_: &Test) -> Outcome {
    measure("kmalloc_192", || KBox::<[u8; 192]>::new_uninit(GFP_KERNEL).map(|_| ()).map_err(Error::from))
}

fn pages(_: &Test) -> Outcome {
    measure("page", || block(0))
}

fn page_blocks(_: &Test) -> Outcome {
    measure("pages_16", || block(4))
}

/// A block of 2^order pages is taken and given back.
fn block(order: u32) -> Result {
    // SAFETY: no requirements; tests run in task context.
    let at = unsafe { bindings::get_free_pages_noprof(bindings::GFP_KERNEL, order) };
    NonNull::new(at as *mut u8).ok_or(ENOMEM)?;
    // SAFETY: it is ours, and of this order.
    unsafe { bindings::free_pages(at as c_ulong, order) };
    Ok(())
}
