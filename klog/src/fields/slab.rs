//! Slab corruption: `mm/slub.c` (`check_bytes_and_report`, `print_trailer`).

use serde::Serialize;

use super::text::hex_after;
use crate::detect::text::{between, word};

/// A corrupted slab object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SlabCorruption {
    /// The cache.
    pub cache: Option<String>,
    /// The object's address.
    pub object: Option<u64>,
    /// The first corrupted address.
    pub from: Option<u64>,
    /// The last corrupted address.
    pub to: Option<u64>,
    /// The first corrupted byte, as it is.
    pub found: Option<u64>,
    /// The first corrupted byte, as it should be.
    pub expected: Option<u64>,
    /// The function that allocated the object.
    pub allocated_in: Option<String>,
    /// The function that freed it.
    pub freed_in: Option<String>,
}

pub(super) fn read(lines: &[&str]) -> Option<SlabCorruption> {
    let bytes = lines.iter().find(|line| line.contains("First byte "));
    let track = |head: &str| {
        lines
            .iter()
            .find_map(|line| line.split_once(head))
            .map(|(_, rest)| word(rest).split('+').next().unwrap_or_default().to_owned())
    };
    let corruption = SlabCorruption {
        cache: lines.iter().find_map(|line| between(line, "BUG ", " (")).map(str::to_owned),
        object: lines
            .iter()
            .find(|line| line.contains("Object 0x"))
            .and_then(|line| hex_after(line, "Object 0x")),
        from: bytes.and_then(|line| hex_after(line, "0x")),
        to: bytes.and_then(|line| hex_after(line, "-0x").or_else(|| hex_after(line, "-"))),
        found: bytes.and_then(|line| hex_after(line, "First byte ")),
        expected: bytes.and_then(|line| hex_after(line, "instead of ")),
        allocated_in: track("Allocated in "),
        freed_in: track("Freed in "),
    };
    (corruption != SlabCorruption::default()).then_some(corruption)
}
