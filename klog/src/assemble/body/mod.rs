//! Which lines look as if they belonged to a report.

mod shape;
mod starts;
mod tail;

pub(super) use shape::{Shape, shape};
pub(super) use tail::{asks_other_cpus, fits_tail, is_cpu_backtrace};
