//! `kh-hog`: uses a stated amount of memory at a stated rate.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::workload::options::Options;
use crate::workload::run::Stopped;
use crate::workload::units;

/// What the command line states.
pub const USAGE: &str = "--size SIZE|all [--rate SIZE/s] [--hold [--for TIME]]
  touches SIZE of new memory (all: until it is killed), at most at that rate, and says so every
  16 MiB; then ends, or with --hold keeps touching all of it (for TIME, or for ever)";

/// Memory is taken in pieces of this size.
const PIECE: usize = 1 << 20;

/// Pieces between two lines of progress.
const REPORT_EVERY: u64 = 16;

/// Pause between two rounds of `--hold`.
const REST: Duration = Duration::from_millis(100);

/// x86 has no smaller pages, other architectures have none either.
const PAGE: usize = 4096;

/// Runs the workload.
pub fn run(options: &mut Options) -> Result<(), Stopped> {
    let size = options.value("--size", size_or_all)?;
    let rate = options.value("--rate", units::rate)?;
    let hold = options.flag("--hold");
    let time = options.value("--for", units::duration)?;
    options.end()?;
    let size = size.ok_or_else(|| Stopped::Usage("--size is missing".into()))?;
    let mut memory = grow(size, rate)?;
    if hold {
        keep(&mut memory, time);
    }
    Ok(())
}

fn size_or_all(text: &str) -> Result<u64, String> {
    if text == "all" { Ok(u64::MAX) } else { units::size(text) }
}

fn grow(size: u64, rate: Option<u64>) -> Result<Vec<Vec<u8>>, Stopped> {
    let start = Instant::now();
    let mut memory = Vec::new();
    let mut touched = 0;
    for number in 1.. {
        let length = usize::try_from(size - touched).map_or(PIECE, |left| left.min(PIECE));
        if length == 0 {
            break;
        }
        memory.push(piece(length, touched)?);
        touched += length as u64;
        if number % REPORT_EVERY == 0 {
            report(touched, start);
        }
        pace(touched, rate, start);
    }
    report(touched, start);
    Ok(memory)
}

/// Memory that has been written to.
fn piece(length: usize, touched: u64) -> Result<Vec<u8>, Stopped> {
    let mut piece = Vec::new();
    let reserved = piece.try_reserve_exact(length);
    reserved.map_err(|_| {
        Stopped::Refused(format!(
            "the kernel refused more memory after {} MiB (vm.overcommit_memory, RLIMIT_AS)",
            touched >> 20
        ))
    })?;
    piece.resize(length, 1);
    Ok(piece)
}

/// Sleeps until `touched` bytes are due.
fn pace(touched: u64, rate: Option<u64>, start: Instant) {
    let Some(rate) = rate else { return };
    let nanos = u128::from(touched) * 1_000_000_000 / u128::from(rate);
    let due = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
    sleep(due.saturating_sub(start.elapsed()));
}

fn report(touched: u64, start: Instant) {
    println!("{}", json!({ "touched_bytes": touched, "ms": start.elapsed().as_secs_f64() * 1e3 }));
}

fn keep(memory: &mut [Vec<u8>], time: Option<Duration>) {
    let start = Instant::now();
    while time.is_none_or(|time| start.elapsed() < time) {
        for page in memory.iter_mut().flat_map(|piece| piece.chunks_mut(PAGE)) {
            page[0] = page[0].wrapping_add(1);
        }
        sleep(REST);
    }
}
