// SPDX-License-Identifier: GPL-2.0

//! Two planted races that hardly ever show by themselves: the two CPUs come to the same place a gap apart, and
//! something goes wrong only when the first one is held up there for longer than the gap.

use kernel::sync::atomic::{Acquire, Atomic, Relaxed, Release};
use kharness::prelude::*;

kharness::suite! {
    name: "kh_races",
    description: "Two CPUs, one after the other",
    params: {
        rounds: u32 {
            default: 200,
            description: "How often they come to that place, at most",
        },
        gap_us: u32 {
            default: 2000,
            description: "Microseconds between the first and the second",
        },
    },
    tests: [a_count_is_lost, two_locks_cross],
}

extern "C" {
    fn kh_race_count(gap_us: u32, late: bool, safe: bool);
    fn kh_race_counted() -> i32;
    fn kh_race_cross(gap_us: u32, late: bool, safe: bool) -> bool;
}

fn rounds() -> u32 {
    module_parameters::rounds.value()
}

fn gap_us() -> u32 {
    module_parameters::gap_us.value()
}

/// How often each CPU has come to a meeting.
static AT: [Atomic<u32>; 2] = [Atomic::new(0), Atomic::new(0)];
/// The round after which there is no other; 0 while nobody knows.
static LAST: Atomic<u32> = Atomic::new(0);

/// Comes to meeting number `number` and waits for the other CPU there.
fn meet(cpu: usize, number: u32) -> Outcome {
    AT[cpu].store(number, Release);
    let patience = Budget::millis(10_000);
    while AT[1 - cpu].load(Acquire) < number {
        check!(!patience.is_over(), "the other CPU came");
        core::hint::spin_loop();
    }
    Ok(())
}

/// Has both CPUs do `work` in each round; it is told whether it is the late one. Ends after the round in which
/// `is_over`. Gives the number of rounds.
fn race(
    work: impl Fn(bool) + Copy + Send + 'static,
    is_over: impl Fn(u32) -> bool + Copy + Send + 'static,
) -> core::result::Result<u32, Stop> {
    if kharness::cpus() < 2 {
        return Err(Stop::Skip("it takes two CPUs"));
    }
    for word in [&AT[0], &AT[1], &LAST] {
        word.store(0, Relaxed);
    }
    let run = move |cpu: usize| {
        for round in 1..=rounds() {
            meet(cpu, 3 * round)?;
            work(cpu == 1);
            meet(cpu, 3 * round + 1)?;
            // One of them decides; both know at the next meeting.
            if cpu == 0 && (round == rounds() || is_over(round)) {
                LAST.store(round, Relaxed);
            }
            meet(cpu, 3 * round + 2)?;
            if LAST.load(Relaxed) != 0 {
                break;
            }
        }
        Ok(())
    };
    let first = Thread::on_cpu(0, move |_| run(0))?;
    let second = Thread::on_cpu(1, move |_| run(1))?;
    first.join()?;
    second.join()?;
    Ok(LAST.load(Relaxed))
}

/// Read, add, write: a count is lost when the other CPU counts in between.
fn a_count_is_lost(test: &Test) -> Outcome {
    let safe = test.repair();
    // SAFETY: the function reads one word.
    let counted = || unsafe { kh_race_counted() };
    let before = counted();
    let work = move |late| {
        // SAFETY: it counts in a word of its own; that it is a race is what the test shows.
        unsafe { kh_race_count(gap_us(), late, safe) }
    };
    let rounds = race(work, move |round| counted() - before < 2 * round as i32)?;
    if counted() - before < 2 * rounds as i32 {
        note!("a count was lost in round {}", rounds);
    }
    Ok(())
}

/// Whether the two have blocked each other.
static BLOCKED: Atomic<u32> = Atomic::new(0);

/// Two locks in opposite orders: both wait for ever when each has one.
fn two_locks_cross(test: &Test) -> Outcome {
    let safe = test.repair();
    BLOCKED.store(0, Relaxed);
    let work = move |late| {
        // SAFETY: it gives back every lock that it takes.
        if !unsafe { kh_race_cross(gap_us(), late, safe) } {
            BLOCKED.store(1, Relaxed);
        }
    };
    let rounds = race(work, |_| BLOCKED.load(Relaxed) != 0)?;
    if BLOCKED.load(Relaxed) != 0 {
        note!("both were blocked in round {}", rounds);
    }
    Ok(())
}
