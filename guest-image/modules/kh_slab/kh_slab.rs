// SPDX-License-Identifier: GPL-2.0

//! kmalloc's size classes, caches with a constructor, and all allocators under stress.

use core::ptr::NonNull;
use kernel::bindings;
use kernel::c_str;
use kernel::ffi::c_void;
use kernel::sync::atomic::{Atomic, Relaxed};
use kharness::prelude::*;

kharness::suite! {
    name: "kh_slab",
    description: "Slab caches and kmalloc's size classes",
    params: {
        rounds: u32 {
            default: 2000,
            description: "Allocations of each thread of the stress test",
        },
    },
    tests: [
        sizes_are_rounded_up_to_their_class,
        objects_are_constructed,
        a_cache_keeps_its_alignment,
        stress_from_all_cpus,
    ],
}

/// A size, and what kmalloc makes of it on x86-64 (mm/slab_common.c, `kmalloc_info`).
const CLASSES: [(usize, usize); 14] = [
    (1, 8),
    (8, 8),
    (9, 16),
    (33, 64),
    (64, 64),
    (65, 96),
    (97, 128),
    (129, 192),
    (193, 256),
    (257, 512),
    (1000, 1024),
    (1025, 2048),
    (4096, 4096),
    (5000, 8192),
];

fn sizes_are_rounded_up_to_their_class(test: &Test) -> Outcome {
    for (size, class) in CLASSES {
        // SAFETY: arithmetic only.
        let rounded = unsafe { bindings::kmalloc_size_roundup(size) };
        check_eq!(rounded, if test.repair() { class + 1 } else { class });
        // All of the class can be used once it was asked for.
        let mut vector = KVec::<u8>::with_capacity(rounded, GFP_KERNEL)?;
        vector.resize(rounded, 0x5a, GFP_KERNEL)?;
        // SAFETY: the vector's memory is kmalloc's.
        check_eq!(unsafe { bindings::ksize(vector.as_ptr().cast()) }, class);
    }
    Ok(())
}

/// What the constructor writes: an object keeps it while it is free.
const CONSTRUCTED: u64 = 0x6b68_6172_6e65_7373;

static CONSTRUCTIONS: Atomic<i32> = Atomic::new(0);

unsafe extern "C" fn construct(object: *mut c_void) {
    CONSTRUCTIONS.fetch_add(1, Relaxed);
    // SAFETY: objects of the cache are larger than this, and aligned.
    unsafe { object.cast::<u64>().write(CONSTRUCTED) };
}

/// A slab cache.
struct Cache(NonNull<bindings::kmem_cache>);

impl Cache {
    fn new(size: u32, align: u32, constructed: bool) -> Result<Self> {
        let mut args = bindings::kmem_cache_args { align, ..Default::default() };
        args.ctor = constructed.then_some(construct);
        let name = c_str!("kh_slab").as_char_ptr();
        // SAFETY: the name is static, and `args` lives over the call.
        let cache = unsafe { bindings::__kmem_cache_create_args(name, size, &raw mut args, 0) };
        Ok(Self(NonNull::new(cache).ok_or(ENOMEM)?))
    }

    fn alloc(&self) -> Result<NonNull<c_void>> {
        // SAFETY: the cache is live.
        let object =
            unsafe { bindings::kmem_cache_alloc_noprof(self.0.as_ptr(), bindings::GFP_KERNEL) };
        NonNull::new(object).ok_or(ENOMEM)
    }

    fn free(&self, object: NonNull<c_void>) {
        // SAFETY: callers pass what `alloc` gave, once.
        unsafe { bindings::kmem_cache_free(self.0.as_ptr(), object.as_ptr()) };
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        // SAFETY: every test frees its objects first.
        unsafe { bindings::kmem_cache_destroy(self.0.as_ptr()) };
    }
}

/// The constructor runs once for each object of a slab, not once for each allocation.
fn objects_are_constructed(test: &Test) -> Outcome {
    const OBJECTS: usize = 100;
    let cache = Cache::new(192, 0, !test.repair())?;
    let mut objects = KVec::with_capacity(OBJECTS, GFP_KERNEL)?;
    for round in 0..2 {
        for _ in 0..OBJECTS {
            objects.push(cache.alloc()?, GFP_KERNEL)?;
        }
        let made = CONSTRUCTIONS.load(Relaxed) as usize;
        // All are freed before anything is checked: the cache must be empty when it is destroyed.
        let mut constructed = 0;
        while let Some(object) = objects.pop() {
            // SAFETY: the object is ours until it is freed.
            let found = unsafe { object.cast::<u64>().as_ptr().read() };
            constructed += usize::from(found == CONSTRUCTED);
            cache.free(object);
        }
        note!("round {}: {} constructions for {} objects", round, made, OBJECTS);
        check!(made >= OBJECTS && made < 2 * OBJECTS);
        check_eq!(constructed, OBJECTS);
    }
    Ok(())
}

fn a_cache_keeps_its_alignment(test: &Test) -> Outcome {
    test.each(&[8u32, 64, 256, 1024], |_, align| {
        let cache = Cache::new(24, *align, false)?;
        let objects = [cache.alloc()?, cache.alloc()?, cache.alloc()?];
        let odd = usize::from(test.repair());
        let wrong =
            objects.iter().any(|at| (at.as_ptr() as usize + odd) % *align as usize != 0);
        objects.into_iter().for_each(|object| cache.free(object));
        check!(!wrong);
        Ok(())
    })
}

/// A piece of memory that knows what it holds.
struct Piece {
    bytes: KVVec<u8>,
    pattern: u8,
}

impl Piece {
    fn new(size: usize, pattern: u8) -> core::result::Result<Self, Stop> {
        let mut bytes = KVVec::with_capacity(size, GFP_KERNEL)?;
        bytes.resize(size, pattern, GFP_KERNEL)?;
        Ok(Self { bytes, pattern })
    }

    fn is_intact(&self) -> bool {
        self.bytes.iter().all(|byte| *byte == self.pattern)
    }
}

/// From one byte to past what kmalloc has: slab, page allocator and vmalloc.
const LARGEST: u64 = 64 << 10;

/// Each CPU takes pieces of random size, looks whether one that it has is still what it was, and
/// frees it: memory that two have at once is found by whoever looks second.
fn stress_from_all_cpus(test: &Test) -> Outcome {
    let rounds = module_parameters::rounds.value();
    let spoil = test.repair();
    let mut threads = KVec::new();
    for cpu in 0..kharness::cpus() {
        let seed = test.seed().wrapping_add(u64::from(cpu));
        let work = move |_: &Control| stress(Rng::new(seed), rounds, spoil);
        threads.push(Thread::on_cpu(cpu, work)?, GFP_KERNEL)?;
    }
    let mut outcome = Ok(());
    while let Some(thread) = threads.pop() {
        outcome = outcome.and(thread.join());
    }
    outcome
}

fn stress(mut random: Rng, rounds: u32, spoil: bool) -> Outcome {
    const KEPT: usize = 32;
    let mut pieces: KVec<Piece> = KVec::with_capacity(KEPT, GFP_KERNEL)?;
    for round in 0..rounds {
        // Mostly small ones: a random number of bits.
        let bits = random.below(LARGEST.trailing_zeros().into()) + 1;
        let size = random.below(1 << bits) as usize + 1;
        let piece = Piece::new(size, round as u8)?;
        if pieces.len() < KEPT {
            pieces.push(piece, GFP_KERNEL)?;
            continue;
        }
        let index = random.below(KEPT as u64) as usize;
        if spoil && round == rounds - 1 {
            pieces[index].bytes[0] ^= 1;
        }
        check!(pieces[index].is_intact());
        pieces[index] = piece;
    }
    Ok(())
}
