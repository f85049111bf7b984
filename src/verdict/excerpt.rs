//! The console lines that a person needs to see first.

use crate::run::{Console, Line};

/// Lines before a report that show what led to it.
const BEFORE: usize = 4;
/// Lines of a report.
const OF_REPORT: usize = 40;
/// Last lines of a guest that stopped or hung.
const LAST: usize = 15;

/// The lines of the report that starts at byte `start`, and a few before it.
pub fn around(console: &Console, start: u64, end: u64) -> Vec<String> {
    let lines = &console.lines;
    let first = lines.partition_point(|line| line.record.end <= start);
    let behind = lines.partition_point(|line| line.record.start < end);
    let cut = behind.min(first + OF_REPORT);
    let mut text = texts(&lines[first.saturating_sub(BEFORE)..cut.max(first)]);
    if behind > cut {
        text.push(format!("[{} more lines of this report]", behind - cut));
    }
    text
}

/// The last lines.
pub fn last(console: &Console) -> Vec<String> {
    let lines = &console.lines;
    texts(&lines[lines.len().saturating_sub(LAST)..])
}

fn texts(lines: &[Line]) -> Vec<String> {
    lines.iter().map(text).collect()
}

fn text(line: &Line) -> String {
    match line.record.timestamp_us {
        Some(us) => format!("[{:>5}.{:06}] {}", us / 1_000_000, us % 1_000_000, line.record.text),
        None => line.record.text.clone(),
    }
}
