// SPDX-License-Identifier: GPL-2.0

//! Time budgets.

use kernel::time::{Delta, Instant, Monotonic};

use crate::case::{Outcome, Stop};

/// A span of time that begins when it is made.
pub struct Budget {
    start: Instant<Monotonic>,
    length: Delta,
}

impl Budget {
    /// A budget of so many milliseconds.
    pub fn millis(length: i64) -> Self {
        Self { start: Instant::now(), length: Delta::from_millis(length) }
    }

    /// Whether it is used up: `while !budget.is_over() { … }`.
    pub fn is_over(&self) -> bool {
        self.start.elapsed().as_nanos() >= self.length.as_nanos()
    }

    /// Fails the test when more time than this has passed.
    pub fn check(&self) -> Outcome {
        if !self.is_over() {
            return Ok(());
        }
        let took = self.start.elapsed().as_micros_ceil();
        note!("took {} us, more than its {} us", took, self.length.as_micros_ceil());
        Err(Stop::Fail)
    }
}
