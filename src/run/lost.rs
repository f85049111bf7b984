//! Fills in what the console lost.

use std::path::Path;

use inspect::Kernel;

use super::console::Console;
use crate::memory::{Lost, lost};

/// Adds to `console` the lines of the log in the snapshot at `snapshot` that it lost, so that what they
/// report counts. Nothing where the log cannot be read, or nothing was lost.
pub fn fill_in(console: &mut Console, snapshot: &Path) -> Option<Lost> {
    let dump = inspect::dump::open(snapshot).ok()?;
    let log = Kernel::attach(dump).ok()?.log().ok()?;
    let lost = lost(&console.lines, &log.items);
    if lost.lines.is_empty() {
        return None;
    }
    let text: String = lost.lines.iter().map(|line| format!("{line}\n")).collect();
    // A disk that is full has been told of when the guest printed.
    let _ = console.feed(format!("\n{MARK}\n{text}").as_bytes());
    console.finish();
    Some(lost)
}

/// Stands in `console.log` before what comes from memory.
const MARK: &str =
    "-- kharness: what follows is from the log in guest memory; the console lost it --";
