// SPDX-License-Identifier: GPL-2.0

//! Threads that take locks in opposite orders, and never let go. With `repair=1` only one of them takes any.
//!
//! The threads stay in the kernel for ever, and so must the module.

use kernel::sync::atomic::{Atomic, Relaxed};
use kernel::time::delay::fsleep;
use kernel::time::Delta;
use kharness::prelude::*;

kharness::suite! {
    name: "kh_deadlock",
    description: "Deadlocks of all kinds of locks",
    params: {
        hold_ms: u32 {
            default: 15000,
            description: "How long the test `contends` holds its lock",
        },
    },
    tests: [crosses, spins, reads, rings, contends],
}

kernel::sync::global_lock! {
    // SAFETY: `crosses` initialises it before it starts a thread.
    unsafe(uninit) static FIRST: Mutex<()> = ();
}

kernel::sync::global_lock! {
    // SAFETY: `crosses` initialises it before it starts a thread.
    unsafe(uninit) static SECOND: Mutex<()> = ();
}

kernel::sync::global_lock! {
    // SAFETY: each test initialises it before it starts a thread.
    unsafe(uninit) static SPIN_FIRST: SpinLock<()> = ();
}

kernel::sync::global_lock! {
    // SAFETY: each test initialises it before it starts a thread.
    unsafe(uninit) static SPIN_SECOND: SpinLock<()> = ();
}

// The C half: each takes its only lock of a kind, and keeps it.
extern "C" {
    fn kh_mutex_lock();
    fn kh_rt_mutex_lock();
    fn kh_down();
    fn kh_percpu_read();
    fn kh_percpu_write();
    fn kh_rwlock_read();
    fn kh_rwlock_write();
}

/// Threads that have their first lock.
static HAVE_ONE: Atomic<i32> = Atomic::new(0);

/// Waits until `all` threads have a lock. It gives up after a while: another one may be too late.
fn meet(all: i32, wait: impl Fn()) {
    HAVE_ONE.fetch_add(1, Relaxed);
    let budget = Budget::millis(60_000);
    while HAVE_ONE.load(Relaxed) < all && !budget.is_over() {
        wait();
    }
}

fn asleep() {
    fsleep(Delta::from_millis(5));
}

/// Two mutexes.
fn crosses(test: &Test) -> Outcome {
    // SAFETY: each once, before any thread takes one.
    unsafe {
        FIRST.init();
        SECOND.init();
    }
    let orderly = test.repair();
    let forth = Thread::spawn(move |_| {
        let _first = FIRST.lock();
        meet(2, asleep);
        let _second = SECOND.lock();
        Ok(())
    })?;
    let back = Thread::spawn(move |_| {
        if orderly {
            return Ok(());
        }
        let _second = SECOND.lock();
        meet(2, asleep);
        let _first = FIRST.lock();
        Ok(())
    })?;
    forth.abandon();
    back.abandon();
    Ok(())
}

/// Two spinlocks, by two CPUs; a third one is left for everything else.
fn spins(test: &Test) -> Outcome {
    if kharness::cpus() < 3 {
        return skip("it takes three CPUs");
    }
    // SAFETY: each once, before any thread takes one.
    unsafe {
        SPIN_FIRST.init();
        SPIN_SECOND.init();
    }
    let orderly = test.repair();
    let forth = Thread::on_cpu(1, move |_| {
        let _first = SPIN_FIRST.lock();
        meet(if orderly { 1 } else { 2 }, core::hint::spin_loop);
        let _second = SPIN_SECOND.lock();
        Ok(())
    })?;
    let back = Thread::on_cpu(2, move |_| {
        if orderly {
            return Ok(());
        }
        let _second = SPIN_SECOND.lock();
        meet(2, core::hint::spin_loop);
        let _first = SPIN_FIRST.lock();
        Ok(())
    })?;
    forth.abandon();
    back.abandon();
    Ok(())
}

/// A reader of an rwlock wants a spinlock, whose holder wants to write.
fn reads(test: &Test) -> Outcome {
    if kharness::cpus() < 3 {
        return skip("it takes three CPUs");
    }
    // SAFETY: once, before any thread takes it.
    unsafe { SPIN_FIRST.init() };
    let orderly = test.repair();
    let reader = Thread::on_cpu(1, move |_| {
        if orderly {
            return Ok(());
        }
        // SAFETY: that it is kept is what the test is for; so below.
        unsafe { kh_rwlock_read() };
        meet(2, core::hint::spin_loop);
        let _first = SPIN_FIRST.lock();
        Ok(())
    })?;
    let writer = Thread::on_cpu(2, move |_| {
        if orderly {
            return Ok(());
        }
        let _first = SPIN_FIRST.lock();
        meet(2, core::hint::spin_loop);
        unsafe { kh_rwlock_write() };
        Ok(())
    })?;
    reader.abandon();
    writer.abandon();
    Ok(())
}

/// Three threads in a circle of three kinds of locks, and one that waits for a semaphore that it has itself.
fn rings(test: &Test) -> Outcome {
    let steps: [(unsafe extern "C" fn(), unsafe extern "C" fn()); 4] = [
        (kh_rt_mutex_lock, kh_mutex_lock),
        (kh_mutex_lock, kh_percpu_write),
        (kh_percpu_read, kh_rt_mutex_lock),
        (kh_down, kh_down),
    ];
    let orderly = test.repair();
    for (first, second) in steps {
        let thread = Thread::spawn(move |_| {
            if orderly {
                return Ok(());
            }
            // SAFETY: that they are kept is what the test is for.
            unsafe { first() };
            meet(4, asleep);
            // SAFETY: as above.
            unsafe { second() };
            Ok(())
        })?;
        thread.abandon();
    }
    Ok(())
}

/// One CPU holds a spinlock for long, and another one wants it: no deadlock.
fn contends(test: &Test) -> Outcome {
    if kharness::cpus() < 3 {
        return skip("it takes three CPUs");
    }
    // SAFETY: once, before any thread takes it.
    unsafe { SPIN_FIRST.init() };
    let hold = if test.repair() { 0 } else { i64::from(module_parameters::hold_ms.value()) };
    let holder = Thread::on_cpu(1, move |_| {
        let _first = SPIN_FIRST.lock();
        HAVE_ONE.fetch_add(1, Relaxed);
        let budget = Budget::millis(hold);
        while !budget.is_over() {
            core::hint::spin_loop();
        }
        Ok(())
    })?;
    let waiter = Thread::on_cpu(2, |_| {
        while HAVE_ONE.load(Relaxed) == 0 {
            core::hint::spin_loop();
        }
        let _first = SPIN_FIRST.lock();
        Ok(())
    })?;
    holder.join()?;
    waiter.join()
}
