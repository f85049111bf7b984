// SPDX-License-Identifier: GPL-2.0

//! What nearly every test module uses.

pub use crate::{check, check_eq, check_ne, note};
pub use crate::{checkpoint, skip, xfail, Budget, Control, Outcome, Rng, Stop, Test, Thread};
pub use kernel::prelude::*;
