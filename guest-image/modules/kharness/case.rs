// SPDX-License-Identifier: GPL-2.0

//! One test: what it is given, and how it can end.

use core::fmt::Display;
use kernel::alloc::AllocError;
use kernel::prelude::*;

use crate::params;
use crate::random::Rng;
use crate::suite::{self, Totals};

/// How a test ended: `Ok(())`, or why not. `?` works on results of the kernel: their errors fail the
/// test.
pub type Outcome = core::result::Result<(), Stop>;

/// Why a test ended early.
#[derive(Debug, Clone, Copy)]
pub enum Stop {
    /// Something was not as it should be; a check has printed what.
    Fail,
    /// The kernel refused something that the test needs.
    Refused(Error),
    /// It cannot be tested here; why.
    Skip(&'static str),
    /// It failed as it is known to fail; why.
    Xfail(&'static str),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<AllocError> for Stop {
    fn from(_: AllocError) -> Self {
        Self::Refused(ENOMEM)
    }
}

/// Ends a test that cannot be done here: `return skip("one CPU is not enough")`.
pub fn skip(why: &'static str) -> Outcome {
    Err(Stop::Skip(why))
}

/// Ends a test that failed as it is known to.
pub fn xfail(why: &'static str) -> Outcome {
    Err(Stop::Xfail(why))
}

/// What a test is given.
pub struct Test {
    name: &'static str,
    seed: u64,
    depth: usize,
}

impl Test {
    pub(crate) fn new(name: &'static str, seed: u64, depth: usize) -> Self {
        Self { name, seed, depth }
    }

    /// The test's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The seed of everything random: the module's parameter `seed`.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// A generator that gives the same numbers for the same seed and name, whatever ran before.
    pub fn rng(&self) -> Rng {
        let name = self.name.bytes().fold(0u64, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        Rng::new(self.seed ^ name)
    }

    /// Whether the planted bug is to be left out: the module's parameter `repair`. A test of the
    /// tests sets it, and expects that the scenario then fails.
    pub fn repair(&self) -> bool {
        params::repair()
    }

    /// Runs `run` once for each of `inputs`, each a test of its own below this one, and named as the
    /// input is displayed.
    pub fn each<T: Display>(&self, inputs: &[T], run: impl Fn(&Test, &T) -> Outcome) -> Outcome {
        let depth = self.depth + 1;
        line!(depth, "KTAP version 1");
        line!(depth, "# Subtest: {}", self.name);
        line!(depth, "1..{}", inputs.len());
        let mut totals = Totals::default();
        for (index, input) in inputs.iter().enumerate() {
            let test = Test { name: self.name, seed: self.seed, depth };
            totals.count(suite::conclude(depth, index + 1, input, run(&test, input)));
        }
        totals.outcome()
    }
}
