//! `kh-forkstorm`: forks a stated number of processes.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{WaitOptions, wait};
use serde_json::json;

use crate::sys;
use crate::workload::options::Options;
use crate::workload::run::Stopped;
use crate::workload::units;

/// What the command line states.
pub const USAGE: &str = "--number N [--width N] [--live TIME]
  tries to fork N times, with at most width children at a time (default 16), each of which lives
  for TIME (default 0ms); says how many forks succeeded and how many the kernel refused";

/// Runs the workload.
pub fn run(options: &mut Options) -> Result<(), Stopped> {
    let number = options.value("--number", units::count)?;
    let width = options.value("--width", units::count)?.unwrap_or(16);
    let live = options.value("--live", units::duration)?.unwrap_or_default();
    options.end()?;
    let number = number.ok_or_else(|| Stopped::Usage("--number is missing".into()))?;
    if width == 0 {
        return Err(Stopped::Usage("--width 0 forks nothing".into()));
    }
    storm(number, width, live);
    Ok(())
}

fn storm(number: u32, width: u32, live: Duration) {
    let start = Instant::now();
    let mut alive = 0;
    let mut most = 0;
    let mut refused = 0;
    let mut reason = None;
    for _ in 0..number {
        if alive == width {
            reap();
            alive -= 1;
        }
        match sys::fork_single(|| sleep(live)) {
            Ok(()) => alive += 1,
            Err(error) => {
                refused += 1;
                reason = Some(error.to_string());
            }
        }
        most = most.max(alive);
    }
    while alive > 0 {
        reap();
        alive -= 1;
    }
    let report = json!({
        "forked": number - refused,
        "refused": refused,
        "reason": reason,
        "most_at_a_time": most,
        "ms": start.elapsed().as_secs_f64() * 1e3,
    });
    println!("{report}");
}

/// Waits for one child; if there is none, none is left to count.
fn reap() {
    while matches!(wait(WaitOptions::empty()), Err(Errno::INTR)) {}
}
