// SPDX-License-Identifier: GPL-2.0

//! Locks used wrongly, one bug a test. A scenario runs one of them in a fresh kernel, since lockdep
//! switches itself off after its first report; with `repair=1` each does the same rightly.

use kernel::sync::atomic::{Acquire, Atomic, Relaxed, Release};
use kernel::sync::{Arc, Mutex, SpinLock, new_mutex, new_spinlock};
use kernel::time::{delay::fsleep, Delta};
use kharness::prelude::*;

kharness::suite! {
    name: "kh_locking",
    description: "Locks used wrongly",
    params: {
        stall_s: u32 {
            default: 15,
            description: "Length of the read section that is too long, in seconds",
        },
        rounds: u32 {
            default: 200,
            description: "How often each thread takes a lock that another one wants, too",
        },
    },
    tests: [
        mutex_abba,
        spin_abba,
        irq_unsafe,
        irq_order,
        recursive,
        sleep_in_spinlock,
        unlock_unheld,
        free_held,
        rcu_dereference,
        rcu_sleep,
        rcu_stall,
        rwlock_order,
        percpu_preemptible,
        refcount_underflow,
        refcount_saturation,
        contended,
        deadlock,
    ],
}

extern "C" {
    fn kh_irq_unsafe(repair: bool);
    fn kh_irq_order(repair: bool);
    fn kh_recursive(repair: bool);
    fn kh_sleep_in_spinlock(repair: bool);
    fn kh_unlock_unheld(repair: bool);
    fn kh_free_held(repair: bool) -> bool;
    fn kh_rcu_dereference(repair: bool);
    fn kh_rcu_sleep(repair: bool);
    fn kh_rcu_stall(seconds: u32, repair: bool);
    fn kh_rwlock_order(repair: bool);
    fn kh_percpu_preemptible(repair: bool) -> u32;
    fn kh_refcount_underflow(repair: bool) -> u32;
    fn kh_refcount_saturation(repair: bool) -> u32;
}

/// Tests that are one call of the C half.
macro_rules! calls {
    ($($test:ident => $bug:ident),+ $(,)?) => {
        $(fn $test(test: &Test) -> Outcome {
            // SAFETY: what the bug does to the kernel is what the test is for.
            unsafe { $bug(test.repair()) };
            Ok(())
        })+
    };
}

calls! {
    irq_unsafe => kh_irq_unsafe,
    irq_order => kh_irq_order,
    recursive => kh_recursive,
    sleep_in_spinlock => kh_sleep_in_spinlock,
    unlock_unheld => kh_unlock_unheld,
    rcu_dereference => kh_rcu_dereference,
    rcu_sleep => kh_rcu_sleep,
    rwlock_order => kh_rwlock_order,
}

fn free_held(test: &Test) -> Outcome {
    // SAFETY: as above.
    check!(unsafe { kh_free_held(test.repair()) }, "there was no memory");
    Ok(())
}

/// Whether the reader that will not stop has begun.
static READING: Atomic<u32> = Atomic::new(0);

/// One CPU reads, and another waits for the grace period that cannot end: nothing stalls where nobody
/// waits. Who waits is there first: while the reader spins, a new thread may never come to be, since the
/// one that makes threads (kthreadd) can be stuck on the reader's CPU.
fn rcu_stall(test: &Test) -> Outcome {
    if kharness::cpus() < 2 {
        return skip("it takes two CPUs");
    }
    let repair = test.repair();
    let waiter = Thread::on_cpu(0, |_| {
        while READING.load(Acquire) == 0 {
            fsleep(Delta::from_millis(10));
        }
        fsleep(Delta::from_millis(100));
        kernel::sync::rcu::synchronize_rcu();
        Ok(())
    })?;
    let reader = Thread::on_cpu(1, move |_| {
        READING.store(1, Release);
        // SAFETY: as above.
        unsafe { kh_rcu_stall(module_parameters::stall_s.value(), repair) };
        Ok(())
    })?;
    reader.join()?;
    waiter.join()
}

fn percpu_preemptible(test: &Test) -> Outcome {
    // SAFETY: as above.
    check_ne!(unsafe { kh_percpu_preemptible(test.repair()) }, 0);
    Ok(())
}

/// The counter stays saturated: the object is leaked instead of used after it is freed.
fn refcount_underflow(test: &Test) -> Outcome {
    // SAFETY: as above.
    let left = unsafe { kh_refcount_underflow(test.repair()) };
    check_eq!(left, if test.repair() { 0 } else { SATURATED });
    Ok(())
}

fn refcount_saturation(test: &Test) -> Outcome {
    // SAFETY: as above.
    let count = unsafe { kh_refcount_saturation(test.repair()) };
    check_eq!(count, if test.repair() { i32::MAX as u32 } else { SATURATED });
    Ok(())
}

/// REFCOUNT_SATURATED of include/linux/refcount_types.h.
const SATURATED: u32 = 0xc000_0000;

#[pin_data]
struct Mutexes {
    #[pin]
    a: Mutex<u32>,
    #[pin]
    b: Mutex<u32>,
    held: Atomic<u32>,
}

impl Mutexes {
    fn new() -> Result<Arc<Self>> {
        let init = pin_init!(Self {
            a <- new_mutex!(0, "kh_mutex_a"),
            b <- new_mutex!(0, "kh_mutex_b"),
            held: Atomic::new(0),
        });
        Ok(Arc::pin_init(init, GFP_KERNEL)?)
    }

    fn in_order(&self) {
        let mut a = self.a.lock();
        *self.b.lock() += 1;
        *a += 1;
    }

    fn reversed(&self) {
        let mut b = self.b.lock();
        *self.a.lock() += 1;
        *b += 1;
    }
}

/// One after the other, so nothing blocks; lockdep sees what could.
fn mutex_abba(test: &Test) -> Outcome {
    let locks = Mutexes::new()?;
    locks.in_order();
    if test.repair() {
        locks.in_order();
    } else {
        locks.reversed();
    }
    check_eq!((*locks.a.lock(), *locks.b.lock()), (2, 2));
    Ok(())
}

#[pin_data]
struct Spinlocks {
    #[pin]
    a: SpinLock<u32>,
    #[pin]
    b: SpinLock<u32>,
}

impl Spinlocks {
    fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            a <- new_spinlock!(0, "kh_spin_a"),
            b <- new_spinlock!(0, "kh_spin_b"),
        })
    }
}

fn spin_abba(test: &Test) -> Outcome {
    let locks = KBox::pin_init(Spinlocks::new(), GFP_KERNEL)?;
    {
        let _a = locks.a.lock();
        *locks.b.lock() += 1;
    }
    if test.repair() {
        let _a = locks.a.lock();
        *locks.b.lock() += 1;
    } else {
        let _b = locks.b.lock();
        *locks.a.lock() += 1;
    }
    Ok(())
}

/// Two threads, each with one mutex, wait for the other's, for ever.
fn deadlock(test: &Test) -> Outcome {
    let locks = Mutexes::new()?;
    let (first, second) = (locks.clone(), locks);
    let repair = test.repair();
    let threads = [
        Thread::spawn(move |_| {
            let _a = first.a.lock();
            meet(&first.held, repair);
            *first.b.lock() += 1;
            Ok(())
        })?,
        Thread::spawn(move |_| {
            if repair {
                second.in_order();
                return Ok(());
            }
            let _b = second.b.lock();
            meet(&second.held, repair);
            *second.a.lock() += 1;
            Ok(())
        })?,
    ];
    for thread in threads {
        if repair {
            thread.join()?;
        } else {
            thread.abandon();
        }
    }
    Ok(())
}

/// Waits until both threads are there, each with what it took.
fn meet(held: &Atomic<u32>, repair: bool) {
    held.fetch_add(1, Release);
    while held.load(Acquire) < 2 && !repair {
        fsleep(Delta::from_millis(1));
    }
}

/// Two CPUs want the same mutex all the time: lock_stat counts how often one of them waits for it. With
/// `repair`, each has one of its own.
fn contended(test: &Test) -> Outcome {
    if kharness::cpus() < 2 {
        return skip("it takes two CPUs");
    }
    let repair = test.repair();
    let (first, own) = (Mutexes::new()?, Mutexes::new()?);
    let second = if repair { own } else { first.clone() };
    let work = |locks: Arc<Mutexes>| {
        move |_: &Control| {
            // One could be through before the other one runs.
            meet(&locks.held, repair);
            for _ in 0..module_parameters::rounds.value() {
                let mut a = locks.a.lock();
                fsleep(Delta::from_micros(50));
                *a += 1;
            }
            Ok(())
        }
    };
    let threads = [Thread::on_cpu(0, work(first))?, Thread::on_cpu(1, work(second))?];
    for thread in threads {
        thread.join()?;
    }
    Ok(())
}
