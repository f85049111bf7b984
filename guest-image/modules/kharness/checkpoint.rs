// SPDX-License-Identifier: GPL-2.0

//! Checkpoints: a test stops at an exact point until the harness lets it go.
//!
//! The test prints the checkpoint's name and the physical address of a flag, and waits until the flag
//! is not 0. The harness writes it straight into guest memory: no device, no driver.

use kernel::prelude::*;
use kernel::sync::atomic::{Acquire, Atomic};
use kernel::time::{delay::fsleep, Delta};

use crate::budget::Budget;
use crate::case::{Outcome, Stop};
use crate::{params, shim};

/// Stops here until the harness goes on, if the tests run in the background (`background=1`); else
/// goes on at once, since nobody could let it go. Sleeps: not for atomic context.
///
/// # Errors
/// When nobody lets it go in time (`checkpoint_ms=`): the test fails.
pub fn checkpoint(name: &str) -> Outcome {
    if !params::background() {
        return Ok(());
    }
    let flag = KBox::new(Atomic::<u64>::new(0), GFP_KERNEL)?;
    let address = shim::physical(&raw const *flag);
    crate::print_line(format_args!("kharness: checkpoint {name} at {address:#018x}"));
    let patience = Budget::millis(i64::from(params::checkpoint_ms()));
    while flag.load(Acquire) == 0 {
        if patience.is_over() {
            note!("nobody let the test go on at checkpoint {}", name);
            return Err(Stop::Fail);
        }
        fsleep(Delta::from_millis(1));
    }
    crate::print_line(format_args!("kharness: checkpoint {name} passed"));
    Ok(())
}
