// SPDX-License-Identifier: GPL-2.0

//! Two threads that take two mutexes in opposite orders, and never let go.

use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::time::delay::fsleep;
use kernel::time::Delta;
use kharness::prelude::*;

kharness::suite! {
    name: "kh_deadlock",
    description: "A deadlock of two threads over two mutexes",
    tests: [crosses],
}

kernel::sync::global_lock! {
    // SAFETY: `crosses` initialises it before it starts a thread.
    unsafe(uninit) static FIRST: Mutex<()> = ();
}

kernel::sync::global_lock! {
    // SAFETY: `crosses` initialises it before it starts a thread.
    unsafe(uninit) static SECOND: Mutex<()> = ();
}

/// Threads that have their first lock.
static HAVE_ONE: Atomic<i32> = Atomic::new(0);

/// Waits until both threads have a lock. It gives up after a while: the other one may be too late.
fn meet() {
    HAVE_ONE.fetch_add(1, Relaxed);
    let budget = Budget::millis(5_000);
    while HAVE_ONE.load(Relaxed) < 2 && !budget.is_over() {
        fsleep(Delta::from_millis(5));
    }
}

/// The threads stay in the kernel for ever, and so does the module.
fn crosses(test: &Test) -> Outcome {
    // SAFETY: each once, before any thread takes one.
    unsafe {
        FIRST.init();
        SECOND.init();
    }
    let orderly = test.repair();
    let forth = Thread::spawn(move |_| {
        let _first = FIRST.lock();
        meet();
        let _second = SECOND.lock();
        Ok(())
    })?;
    let back = Thread::spawn(move |_| {
        if orderly {
            return Ok(());
        }
        let _second = SECOND.lock();
        meet();
        let _first = FIRST.lock();
        Ok(())
    })?;
    forth.abandon();
    back.abandon();
    Ok(())
}
