// SPDX-License-Identifier: GPL-2.0

//! Misuses of memory, one a test, for the kernel to report. `repair=1` leaves the misuse out.

use core::ptr::NonNull;
use kernel::bindings;
use kernel::c_str;
use kernel::ffi::{c_ulong, c_void};
use kernel::new_spinlock;
use kernel::sync::SpinLock;
use kharness::prelude::*;

kharness::suite! {
    name: "kh_badmem",
    description: "Misuses of memory, for the kernel to report",
    tests: [
        writes_after_free,
        reads_after_free,
        overruns,
        underruns,
        frees_twice,
        destroys_a_cache_in_use,
        sleeps_with_a_spinlock_held,
        maps_with_a_spinlock_held,
        leaks,
    ],
}

// mm/vmalloc.c; the prototypes that bindgen sees are macros around these.
extern "C" {
    fn vmalloc_noprof(size: c_ulong) -> *mut c_void;
    fn vfree(at: *const c_void);
}

/// Size of the objects that are misused, in bytes.
const SIZE: usize = 64;

/// A cache of its own: whatever else the kernel allocates, the next object is the one just freed.
struct Cache(NonNull<bindings::kmem_cache>);

impl Cache {
    fn new() -> Result<Self> {
        let mut args = bindings::kmem_cache_args { align: 8, ..Default::default() };
        let name = c_str!("kh_badmem").as_char_ptr();
        // SAFETY: the name is static, and `args` lives over the call.
        let cache =
            unsafe { bindings::__kmem_cache_create_args(name, SIZE as u32, &raw mut args, 0) };
        Ok(Self(NonNull::new(cache).ok_or(ENOMEM)?))
    }

    fn alloc(&self) -> Result<*mut u8> {
        // SAFETY: the cache is live.
        let object =
            unsafe { bindings::kmem_cache_alloc_noprof(self.0.as_ptr(), bindings::GFP_KERNEL) };
        if object.is_null() { Err(ENOMEM) } else { Ok(object.cast()) }
    }

    fn free(&self, object: *mut u8) {
        // SAFETY: not met on purpose where a test says so.
        unsafe { bindings::kmem_cache_free(self.0.as_ptr(), object.cast()) };
    }

    /// Frees the object; allocating and freeing once more has what was done to it noticed.
    fn free_and_look(&self, object: *mut u8) -> Outcome {
        self.free(object);
        self.free(self.alloc()?);
        Ok(())
    }

    fn destroy(self) {
        // SAFETY: not met on purpose where a test says so.
        unsafe { bindings::kmem_cache_destroy(self.0.as_ptr()) };
    }

    /// Destroys the cache unless it was misused: of a corrupt object the kernel keeps the slab, and
    /// reports once more that the cache is not empty.
    fn destroy_if(self, clean: bool) {
        if clean {
            self.destroy();
        }
    }
}

/// Writes one byte where the compiler cannot know that it must not.
#[inline(never)]
fn poke(at: *mut u8) {
    // SAFETY: not met on purpose.
    unsafe { at.write_volatile(0x5a) };
}

fn writes_after_free(test: &Test) -> Outcome {
    let cache = Cache::new()?;
    let object = cache.alloc()?;
    if test.repair() {
        poke(object.wrapping_add(SIZE / 2));
        cache.free(object);
    } else {
        cache.free(object);
        poke(object.wrapping_add(SIZE / 2));
    }
    cache.free(cache.alloc()?);
    cache.destroy_if(test.repair());
    Ok(())
}

/// Only KASAN and KFENCE see a read.
fn reads_after_free(test: &Test) -> Outcome {
    let cache = Cache::new()?;
    let object = cache.alloc()?;
    if !test.repair() {
        cache.free(object);
    }
    // SAFETY: not met on purpose.
    let byte = unsafe { object.wrapping_add(SIZE / 2).read_volatile() };
    note!("read {:#x}", byte);
    if test.repair() {
        cache.free(object);
    }
    cache.destroy_if(test.repair());
    Ok(())
}

fn overruns(test: &Test) -> Outcome {
    let cache = Cache::new()?;
    let object = cache.alloc()?;
    poke(object.wrapping_add(if test.repair() { SIZE - 1 } else { SIZE }));
    cache.free_and_look(object)?;
    cache.destroy_if(test.repair());
    Ok(())
}

fn underruns(test: &Test) -> Outcome {
    let cache = Cache::new()?;
    let object = cache.alloc()?;
    poke(if test.repair() { object } else { object.wrapping_sub(1) });
    cache.free_and_look(object)?;
    cache.destroy_if(test.repair());
    Ok(())
}

fn frees_twice(test: &Test) -> Outcome {
    let cache = Cache::new()?;
    // A second object keeps the slab: a slab that is all free goes back to the page allocator.
    let (object, other) = (cache.alloc()?, cache.alloc()?);
    cache.free(object);
    if !test.repair() {
        cache.free(object);
    }
    cache.free(other);
    cache.destroy_if(test.repair());
    Ok(())
}

/// The object is lost with its cache, which the kernel keeps half-dead.
fn destroys_a_cache_in_use(test: &Test) -> Outcome {
    let cache = Cache::new()?;
    let object = cache.alloc()?;
    if test.repair() {
        cache.free(object);
    }
    cache.destroy();
    Ok(())
}

/// An allocation with `GFP_KERNEL` may have to wait for memory.
fn sleeps_with_a_spinlock_held(test: &Test) -> Outcome {
    let lock = KBox::pin_init(new_spinlock!(0u32, "kh_badmem"), GFP_KERNEL)?;
    let flags = if test.repair() { GFP_ATOMIC } else { GFP_KERNEL };
    let mut count = lock.lock();
    let object = KBox::new(*count, flags)?;
    *count += 1;
    drop(count);
    drop(object);
    Ok(())
}

/// vmalloc is not for atomic context, whatever the flags.
fn maps_with_a_spinlock_held(test: &Test) -> Outcome {
    let lock: Pin<KBox<SpinLock<u32>>> = KBox::pin_init(new_spinlock!(0u32, "kh_badmem"), GFP_KERNEL)?;
    let count = lock.lock();
    if test.repair() {
        drop(count);
        map();
    } else {
        map();
        drop(count);
    }
    Ok(())
}

fn map() {
    // SAFETY: the context is wrong on purpose; the area is freed with the lock released.
    let area = unsafe { vmalloc_noprof(SIZE as c_ulong) };
    // SAFETY: from vmalloc; vfree may be called in atomic context, but not in an interrupt.
    unsafe { vfree(area) };
}

/// How many objects are leaked: stale pointers hide some, above all those that stay in each CPU's
/// array of free objects of the cache (its sheaf) after the object was taken.
const LEAKED: usize = 1000;

fn leaks(test: &Test) -> Outcome {
    for number in 0..LEAKED {
        let object = KBox::new([number; 40], GFP_KERNEL)?;
        if !test.repair() {
            KBox::into_raw(object);
        }
    }
    Ok(())
}
