//! The state of a guest in a few lines, for the failure of a test.

use std::path::Path;

use inspect::Kernel;
use inspect::state::Summary;

use super::{summary, text};

/// Lines of a description; `kharness inspect` has the rest.
const MOST: usize = 60;

/// What a snapshot tells.
pub struct Described {
    /// Why the guest stopped, what ran, what hangs, who waits for whom.
    pub lines: Vec<String>,
    /// The first deadlock, in one line.
    pub deadlock: Option<String>,
}

/// Reads the snapshot at `path`; one line says why, where it cannot be read.
pub fn describe(path: &Path) -> Described {
    match read(path) {
        Ok(summary) => Described { lines: lines(&summary), deadlock: deadlock(&summary) },
        Err(why) => {
            Described { lines: vec![format!("the snapshot cannot be read: {why}")], deadlock: None }
        }
    }
}

fn deadlock(summary: &Summary) -> Option<String> {
    let waits: Vec<String> = summary.deadlocks.first()?.iter().map(text::sentence).collect();
    Some(waits.join(", "))
}

fn read(path: &Path) -> Result<Summary, String> {
    let dump = inspect::dump::open(path).map_err(|error| error.to_string())?;
    let kernel = Kernel::attach(dump).map_err(|error| error.to_string())?;
    kernel.summary().map_err(|error| error.to_string())
}

fn lines(summary: &Summary) -> Vec<String> {
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    let _ = summary::write_state(&mut text, summary);
    let text = String::from_utf8_lossy(&text).into_owned();
    let all: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let mut lines: Vec<String> = all.iter().take(MOST).map(|line| (*line).to_owned()).collect();
    if all.len() > MOST {
        lines.push(format!("[{} more lines: kharness inspect]", all.len() - MOST));
    }
    lines
}
