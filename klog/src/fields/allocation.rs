//! Failed page allocations: `mm/page_alloc.c` (`warn_alloc`).

use serde::Serialize;

use super::text::{hex_after, number_after};
use crate::detect::text::between;

/// An allocation that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AllocationFailure {
    /// The command name of the task.
    pub comm: String,
    /// The order: 2^order pages were wanted.
    pub order: Option<u64>,
    /// The flags as a number.
    pub gfp_mask: Option<u64>,
    /// The flags by name.
    pub gfp_flags: Option<String>,
}

pub(super) fn read(lines: &[&str]) -> Option<AllocationFailure> {
    let line = lines.iter().find(|line| line.contains(": page allocation failure"))?;
    let (comm, rest) = line.split_once(": page allocation failure")?;
    Some(AllocationFailure {
        comm: comm.to_owned(),
        order: number_after(rest, "order:"),
        gfp_mask: hex_after(rest, "mode:"),
        gfp_flags: between(rest, "(", ")").map(str::to_owned),
    })
}
