// SPDX-License-Identifier: GPL-2.0

//! Tests of …

// Everything that the kernel crate offers is there (`use kernel::…`); C functions are in
// `kernel::bindings`, and C files beside this one are linked in.
use kharness::prelude::*;

kharness::suite! {
    name: "NAME",
    description: "Tests of …",
    // The module's own parameters. Each suite has `test`, `seed`, `repair` and `background` too.
    params: {
        rounds: u32 {
            default: 100,
            description: "How often to try",
        },
    },
    // Functions of this file, in the order in which they run.
    tests: [adds, grows],
}

/// A test ends with `Ok(())`, or at the first check that does not hold.
fn adds(_: &Test) -> Outcome {
    check_eq!(2 + 2, 4);
    Ok(())
}

/// `?` fails the test with the kernel's error. `test.rng()` gives the same numbers for the same seed.
fn grows(test: &Test) -> Outcome {
    let mut random = test.rng();
    let mut numbers = KVec::new();
    for round in 0..module_parameters::rounds.value() {
        numbers.push(random.below(u64::from(round) + 1), GFP_KERNEL)?;
    }
    check_eq!(numbers.len(), module_parameters::rounds.value() as usize);
    note!("the last of {} numbers is {:?}", numbers.len(), numbers.last());
    Ok(())
}
