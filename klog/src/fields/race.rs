//! Data races: `kernel/kcsan/report.c`.

use serde::Serialize;

use super::text::{hex_after, number_after};

/// A race between two accesses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Race {
    /// The accesses that are known.
    pub accesses: Vec<RaceAccess>,
    /// `0x1 -> 0x2`: how the value changed between them.
    pub change: Option<String>,
}

/// One side of a race.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RaceAccess {
    /// `read`, `write (marked)` and so on.
    pub what: String,
    /// The address.
    pub address: Option<u64>,
    /// Bytes.
    pub size: Option<u64>,
    /// The thread; none for an interrupt.
    pub task: Option<u64>,
    /// The processor.
    pub cpu: Option<u64>,
}

pub(super) fn read(lines: &[&str]) -> Option<Race> {
    let accesses: Vec<RaceAccess> = lines.iter().filter_map(|line| access(line)).collect();
    let change =
        lines.iter().find_map(|line| line.strip_prefix("value changed: ")).map(str::to_owned);
    (!accesses.is_empty()).then_some(Race { accesses, change })
}

/// `write to 0xffff… of 4 bytes by task 42 on cpu 1:`, also `by interrupt on cpu 1:`
fn access(line: &str) -> Option<RaceAccess> {
    let line = line.strip_prefix("race at unknown origin, with ").unwrap_or(line);
    let (what, rest) = line.split_once(" to 0x")?;
    (what.starts_with("read") || what.starts_with("write") || what.starts_with("assert"))
        .then_some(())?;
    Some(RaceAccess {
        what: what.to_owned(),
        address: hex_after(rest, ""),
        size: number_after(rest, " of "),
        task: number_after(rest, "by task "),
        cpu: number_after(rest, "on cpu "),
    })
}
