// SPDX-License-Identifier: GPL-2.0

//! Takes every error path of an operation: its first allocation fails, then its second, and so on.
//!
//! A task's `fail_nth` (CONFIG_FAULT_INJECTION) has exactly its n-th allocation fail.

use kernel::bindings;
use kernel::sync::atomic::{Atomic, Relaxed};
use kharness::prelude::*;

kharness::suite! {
    name: "kh_faults",
    description: "Takes every error path of an operation",
    tests: [every_allocation_can_fail],
}

/// Parts that exist.
static LIVE: Atomic<i32> = Atomic::new(0);

/// Something that must not outlive the operation that failed.
struct Part(KVec<u8>);

impl Part {
    fn new(size: usize) -> Result<Self> {
        let bytes = KVec::with_capacity(size, GFP_KERNEL)?;
        LIVE.fetch_add(1, Relaxed);
        Ok(Self(bytes))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Relaxed);
    }
}

/// The operation: what it takes first it gives back when something later fails.
fn operation() -> Result<usize> {
    let first = Part::new(100)?;
    let second = KBox::new(Part::new(1000)?, GFP_KERNEL)?;
    let mut list = KVec::new();
    for size in [16, 64, 256] {
        list.push(Part::new(size)?, GFP_KERNEL)?;
    }
    Ok(first.0.capacity() + second.0.capacity() + list.len())
}

/// Has the `number`-th allocation of this task fail, from now on; 0 for none. Returns how many were
/// still to come.
fn fail_nth(number: u32) -> u32 {
    // SAFETY: the running task's own field, which only it and its debugger write.
    unsafe {
        let task = bindings::get_current();
        let left = (&raw mut (*task).fail_nth).read_volatile();
        (&raw mut (*task).fail_nth).write_volatile(number);
        left
    }
}

/// Runs the operation with its `number`-th allocation failing; whether that many were made.
fn with_fault(number: u32, test: &Test) -> (Result<usize>, bool) {
    fail_nth(if test.repair() { 0 } else { number });
    let result = operation();
    let came = fail_nth(0) == 0;
    (result, came)
}

/// More than the operation has allocations.
const MANY: u32 = 100;

fn every_allocation_can_fail(test: &Test) -> Outcome {
    check!(operation().is_ok());
    let mut paths = 0;
    for number in 1..MANY {
        let (result, came) = with_fault(number, test);
        check_eq!(LIVE.load(Relaxed), 0);
        if !came || result.is_ok() {
            break;
        }
        check_eq!(result.err(), Some(ENOMEM));
        paths += 1;
    }
    note!("{} error paths", paths);
    // Two vectors, the box, the three vectors of the list, and its own memory, as often as it grows.
    check!(paths >= 7);
    check!(operation().is_ok());
    Ok(())
}
