// SPDX-License-Identifier: GPL-2.0

//! Shows what a test module looks like.

use kernel::sync::atomic::{Atomic, Relaxed};
use kharness::prelude::*;

kharness::suite! {
    name: "kh_example",
    description: "Shows what a test module looks like",
    params: {
        rounds: u32 {
            default: 100,
            description: "How often each thread counts",
        },
        wrong: bool {
            default: false,
            description: "Have a test fail",
        },
    },
    tests: [adds, vectors_grow, threads_count, needs_many_cpus, is_known_to_fail],
}

fn adds(_: &Test) -> Outcome {
    let expected = if module_parameters::wrong.value() { 5 } else { 4 };
    check_eq!(2 + 2, expected);
    Ok(())
}

/// One test for each length.
fn vectors_grow(test: &Test) -> Outcome {
    test.each(&[1usize, 100, 10_000], |_, length| {
        let mut vector = KVVec::new();
        for number in 0..*length {
            vector.push(number, GFP_KERNEL)?;
        }
        check_eq!(vector.len(), *length);
        Ok(())
    })
}

static COUNT: Atomic<i32> = Atomic::new(0);

/// Two threads on two CPUs; a checkpoint in between stops the test where the harness wants it.
fn threads_count(test: &Test) -> Outcome {
    if kharness::cpus() < 2 {
        return skip("it takes two CPUs");
    }
    let rounds = module_parameters::rounds.value();
    let budget = Budget::millis(10_000);
    let count = move |_: &Control| {
        for _ in 0..rounds {
            COUNT.fetch_add(1, Relaxed);
        }
        Ok(())
    };
    let threads = [Thread::on_cpu(0, count)?, Thread::on_cpu(1, count)?];
    for thread in threads {
        thread.join()?;
    }
    checkpoint("counted")?;
    check_eq!(COUNT.load(Relaxed) as u32, 2 * rounds);
    note!("{}: a random number is {}", test.name(), test.rng().below(1000));
    budget.check()
}

fn needs_many_cpus(_: &Test) -> Outcome {
    if kharness::cpus() < 64 {
        return skip("it takes 64 CPUs");
    }
    Ok(())
}

fn is_known_to_fail(_: &Test) -> Outcome {
    xfail("shows how a known failure looks")
}
