// SPDX-License-Identifier: GPL-2.0

//! What holds when two CPUs use the same words at the same time: atomic counters, bit operations, and
//! the order of stores; with `plain=1` each does without, and loses something.

use kernel::sync::atomic::{Atomic, Relaxed};
use kharness::prelude::*;

kharness::suite! {
    name: "kh_atomics",
    description: "Two CPUs, the same words",
    params: {
        rounds: u32 {
            default: 20000,
            description: "How often each CPU does it",
        },
        plain: bool {
            default: false,
            description: "Do it without atomic operations and barriers",
        },
    },
    tests: [atomic_counts, plain_counter_loses, bits_are_kept, a_bit_is_a_lock, messages_are_whole],
}

extern "C" {
    fn kh_count(rounds: u32, plain: bool);
    fn kh_counted(plain: bool) -> i32;
    fn kh_own_bit(bit: u32, rounds: u32, plain: bool) -> u32;
    fn kh_count_under_bit(rounds: u32, plain: bool);
    fn kh_counted_under_bit() -> usize;
    fn kh_send(rounds: u32, plain: bool);
    fn kh_receive(rounds: u32) -> u32;
}

fn plain() -> bool {
    module_parameters::plain.value()
}

fn rounds() -> u32 {
    module_parameters::rounds.value()
}

/// Has both CPUs work at the same time, each told its number. In the background it first waits at the
/// checkpoint `ready`: a detector that is told which functions to watch takes only those that are there.
fn on_two_cpus(work: impl Fn(u32) -> Outcome + Copy + Send + 'static) -> Outcome {
    if kharness::cpus() < 2 {
        return skip("it takes two CPUs");
    }
    checkpoint("ready")?;
    at_once(work)
}

/// The same, without a word to the harness.
fn at_once(work: impl Fn(u32) -> Outcome + Copy + Send + 'static) -> Outcome {
    static STARTED: Atomic<u32> = Atomic::new(0);
    STARTED.store(0, Relaxed);
    let start = move |cpu| {
        STARTED.fetch_add(1, Relaxed);
        let patience = Budget::millis(5000);
        while STARTED.load(Relaxed) < 2 && !patience.is_over() {
            core::hint::spin_loop();
        }
        work(cpu)
    };
    let threads = [Thread::on_cpu(0, move |_| start(0))?, Thread::on_cpu(1, move |_| start(1))?];
    for thread in threads {
        thread.join()?;
    }
    Ok(())
}

/// How many counts two CPUs lose that count at the same time. The CPUs of an emulator on a busy host may take
/// turns for longer than all rounds take: where none was lost that could be, they are given more.
fn lost(plain: bool) -> core::result::Result<i32, Stop> {
    // SAFETY: the function reads one word.
    let counted = || unsafe { kh_counted(plain) };
    let before = counted();
    let count = move |_| {
        // SAFETY: it counts in words of its own; where it is a race, that is what the test shows.
        unsafe { kh_count(rounds(), plain) };
        Ok(())
    };
    on_two_cpus(count)?;
    let mut done = 2 * rounds() as i32;
    let patience = Budget::millis(if plain { 5000 } else { 0 });
    while done == counted().wrapping_sub(before) && !patience.is_over() {
        at_once(count)?;
        done += 2 * rounds() as i32;
    }
    Ok(done - counted().wrapping_sub(before))
}

fn atomic_counts(_: &Test) -> Outcome {
    check_eq!(lost(plain())?, 0);
    Ok(())
}

/// The same with a counter that is not atomic.
fn plain_counter_loses(test: &Test) -> Outcome {
    let lost = lost(!test.repair())?;
    if lost > 0 {
        note!("{} counts were lost", lost);
    }
    check!(lost >= 0, "{} counts too many", -lost);
    Ok(())
}

/// Each CPU has a bit of its own in one word; set_bit() of the one must not undo that of the other.
fn bits_are_kept(_: &Test) -> Outcome {
    on_two_cpus(|cpu| {
        // SAFETY: the function uses a word of its own.
        let lost = unsafe { kh_own_bit(cpu, rounds(), plain()) };
        check_eq!(lost, 0);
        Ok(())
    })
}

/// test_and_set_bit() gives the bit to one of the two, and orders what is done meanwhile.
fn a_bit_is_a_lock(_: &Test) -> Outcome {
    // SAFETY: the function reads one word.
    let counted = || unsafe { kh_counted_under_bit() };
    let before = counted();
    on_two_cpus(|_| {
        // SAFETY: the function uses words of its own.
        unsafe { kh_count_under_bit(rounds(), plain()) };
        Ok(())
    })?;
    check_eq!(counted() - before, 2 * rounds() as usize);
    Ok(())
}

/// Each message waits for the other CPU: fewer of them take as long.
const MESSAGES_PER_ROUND: u32 = 20;

/// A store with release after the data, a load with acquire before it: whoever sees the flag sees the
/// data.
fn messages_are_whole(_: &Test) -> Outcome {
    let messages = rounds() / MESSAGES_PER_ROUND;
    on_two_cpus(move |cpu| {
        if cpu == 0 {
            // SAFETY: both functions use words of their own.
            unsafe { kh_send(messages, plain()) };
            return Ok(());
        }
        // SAFETY: as above.
        check_eq!(unsafe { kh_receive(messages) }, 0);
        Ok(())
    })
}
