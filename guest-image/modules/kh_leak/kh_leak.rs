// SPDX-License-Identifier: GPL-2.0

//! Loses objects of a slab cache of its own, as many as it is told, and keeps others.

use core::ptr::NonNull;
use kernel::bindings;
use kernel::c_str;
use kernel::ffi::c_void;
use kernel::sync::atomic::{Atomic, Relaxed};
use kharness::prelude::*;

kharness::suite! {
    name: "kh_leak",
    description: "Loses objects of a slab cache",
    params: {
        lost: u32 {
            default: 37,
            description: "Objects to lose",
        },
    },
    tests: [loses_objects],
}

/// Objects that something points to.
const KEPT: usize = 5;

static POINTERS: [Atomic<usize>; KEPT] = [const { Atomic::new(0) }; KEPT];

/// The objects that are kept come last, so that what the allocator remembers is of them.
fn loses_objects(test: &Test) -> Outcome {
    let cache = Cache::new()?;
    let lost = if test.repair() { 0 } else { module_parameters::lost.value() };
    for _ in 0..lost {
        cache.allocate()?;
    }
    for pointer in &POINTERS {
        pointer.store(cache.allocate()?.as_ptr() as usize, Relaxed);
    }
    Ok(())
}

/// A cache that is never destroyed: it has objects for ever.
struct Cache(NonNull<bindings::kmem_cache>);

impl Cache {
    fn new() -> Result<Self> {
        let mut args = bindings::kmem_cache_args::default();
        let name = c_str!("kh_leak").as_char_ptr();
        // SAFETY: the name is static, and `args` lives over the call.
        let cache = unsafe { bindings::__kmem_cache_create_args(name, 152, &raw mut args, 0) };
        Ok(Self(NonNull::new(cache).ok_or(ENOMEM)?))
    }

    fn allocate(&self) -> Result<NonNull<c_void>> {
        // Nothing in an object may look like a pointer: where the allocator had a list of free objects, in the middle
        // of each, there would be one to the next.
        let flags = bindings::GFP_KERNEL | bindings::__GFP_ZERO;
        // SAFETY: the cache is live.
        let object = unsafe { bindings::kmem_cache_alloc_noprof(self.0.as_ptr(), flags) };
        NonNull::new(object).ok_or(ENOMEM)
    }
}
