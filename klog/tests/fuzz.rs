//! Real logs, damaged at random: nothing may panic, and chunks of any size must give the same.
//!
//! Each run of the tests takes the same few hundred damaged logs; `KLOG_FUZZ_SECONDS=600 cargo test --release -p klog
//! --test fuzz` goes on with others for as long as it says. A failure names the seed, and `KLOG_FUZZ_SEED` repeats it.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use klog::{Item, Scanner, ktap};

/// Damaged logs of an ordinary run.
const ROUNDS: u64 = 300;
/// Bytes of a log that are used; the interesting ones are much shorter.
const MOST: usize = 24 << 10;

/// xorshift64* (Marsaglia; Vigna 2016): the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// From 0 to `limit`, which is not reached.
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }
}

fn logs() -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus");
    let mut paths: Vec<PathBuf> = ["live", "written", "clean"]
        .iter()
        .flat_map(|folder| fs::read_dir(corpus.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .chain([corpus.join("titles.txt")])
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// A piece of one log, with lines of another between its own, and some bytes changed.
fn damaged(logs: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut log = piece(&logs[random.below(logs.len())], random);
    for _ in 0..random.below(4) {
        let other = piece(&logs[random.below(logs.len())], random);
        let at = random.below(log.len() + 1);
        log.splice(at..at, other.into_iter().take(2000));
    }
    for _ in 0..random.below(60) {
        damage(&mut log, random);
    }
    log
}

fn piece(log: &[u8], random: &mut Random) -> Vec<u8> {
    let from = random.below(log.len());
    let len = random.below(MOST);
    log[from..].iter().copied().take(len).collect()
}

fn damage(log: &mut Vec<u8>, random: &mut Random) {
    const BYTES: &[u8] = b"\0\n\r\x1b[]<>:+x/ \xff\xc3#0(";
    if log.is_empty() {
        return;
    }
    let at = random.below(log.len());
    let to = (at + random.below(40)).min(log.len());
    match random.below(5) {
        0 => log[at] = u8::try_from(random.below(256)).unwrap(),
        1 => log[at] = BYTES[random.below(BYTES.len())],
        2 => drop(log.drain(at..to)),
        3 => log.insert(at, BYTES[random.below(BYTES.len())]),
        _ => {
            let again = log[at..to].to_vec();
            log.splice(at..at, again);
        }
    }
}

fn items(log: &[u8], chunk: usize) -> Vec<Item> {
    let mut scanner = Scanner::new();
    let mut found = Vec::new();
    for part in log.chunks(chunk) {
        scanner.feed(part);
        found.extend(scanner.drain());
    }
    scanner.finish();
    found.extend(scanner.drain());
    found
}

fn check(log: &[u8], chunk: usize) {
    let whole = items(log, log.len().max(1));
    assert_eq!(items(log, chunk), whole, "chunks of {chunk} bytes");
    let reports = klog::reports(log);
    let found = whole.iter().filter(|item| matches!(item, Item::Report(_))).count();
    assert_eq!(reports.len(), found, "reports depend on whether records are asked for");
    for report in reports {
        assert!(report.start < report.end && report.end <= log.len() as u64, "{}", report.title);
        let _ = klog::explain(&report.kind);
    }
    let _ = ktap::parse(&String::from_utf8_lossy(log));
}

#[test]
fn damaged_logs_are_read_and_chunks_do_not_matter() {
    let number = |name: &str| env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let logs = logs();
    if let Some(seed) = number("KLOG_FUZZ_SEED") {
        return round(&logs, seed);
    }
    let until = Instant::now() + Duration::from_secs(number("KLOG_FUZZ_SECONDS").unwrap_or(0));
    let more = || Instant::now() < until;
    for seed in (1..).take_while(|&seed| seed <= ROUNDS || more()) {
        round(&logs, seed);
    }
}

fn round(logs: &[Vec<u8>], seed: u64) {
    let named = Named(seed);
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let log = damaged(logs, &mut random);
    check(&log, 1 + random.below(3000));
    std::mem::forget(named);
}

/// Says which seed it was when a check panics.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        eprintln!("KLOG_FUZZ_SEED={} repeats this", self.0);
    }
}
