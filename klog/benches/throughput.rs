//! Megabytes per second of processor time on a clean log and on a report-heavy one, beside `grep -E` with the patterns that CI scripts use.
//!
//! `cargo bench -p klog`; no framework, because one run of 100 MB says enough.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use klog::Scanner;

const SIZE: usize = 100 << 20;
/// What scripts grep for when they look for a splat.
const SPLATS: &str = "BUG:|WARNING:|INFO: task|rcu.*detected.*stall|Kernel panic|kernel BUG at|Oops:|general protection fault|\
Unable to handle kernel|KASAN:|UBSAN:|KCSAN:|Call Trace:|soft lockup|hard LOCKUP|possible circular locking|suspicious RCU|\
inconsistent lock state|Out of memory|unreferenced object|list_(add|del) corruption|refcount_t:|cut here";

fn main() -> Result<(), Box<dyn Error>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus");
    let clean = fs::read(corpus.join("clean/boot-6.12-debian.log"))?;
    let heavy = fs::read(corpus.join("live/7.3-circular.log"))?;
    compare("clean log", &repeated(&clean), Scanner::reports_only)?;
    compare("clean log, records too", &repeated(&clean), Scanner::new)?;
    compare("nothing but reports", &repeated(&heavy), Scanner::reports_only)?;
    Ok(())
}

/// The log again and again; a boot banner counts once.
fn repeated(log: &[u8]) -> Vec<u8> {
    let text: Vec<&[u8]> = log
        .split_inclusive(|&byte| byte == b'\n')
        .filter(|line| !line.windows(14).any(|part| part == b"Linux version "))
        .collect();
    let unit = text.concat();
    unit.iter().copied().cycle().take(SIZE).collect()
}

fn compare(name: &str, log: &[u8], scanner: fn() -> Scanner) -> Result<(), Box<dyn Error>> {
    let ours = megabytes_a_second(log, || scan(log, scanner()));
    let grep = megabytes_a_second(log, || grep(log));
    println!(
        "{name:24} klog {:7.1} MB/s ({} reports)   grep -E {:7.1} MB/s   ratio {:.2}",
        ours.0,
        ours.1?,
        grep.0,
        ours.0 / grep.0
    );
    grep.1.map(drop)
}

/// Megabytes a second of processor time, of this process and of its children: other work on the machine does not count.
#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn megabytes_a_second<T>(log: &[u8], work: impl Fn() -> T) -> (f64, T) {
    let begin = processor_seconds();
    let result = work();
    (log.len() as f64 / 1e6 / (processor_seconds() - begin).max(0.01), result)
}

/// `utime`, `stime`, `cutime` and `cstime` of `/proc/self/stat` (proc(5)), in ticks of 10 ms.
fn processor_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    fields.skip(11).take(4).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// As a harness reads it: in chunks, drained as they come.
fn scan(log: &[u8], mut scanner: Scanner) -> Result<usize, Box<dyn Error>> {
    let mut reports = 0;
    for chunk in log.chunks(1 << 16) {
        scanner.feed(chunk);
        reports += scanner.drain().filter(|item| matches!(item, klog::Item::Report(_))).count();
    }
    scanner.finish();
    Ok(reports + scanner.drain().filter(|item| matches!(item, klog::Item::Report(_))).count())
}

fn grep(log: &[u8]) -> Result<usize, Box<dyn Error>> {
    let mut child = Command::new("grep")
        .args(["-a", "-c", "-E", SPLATS])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    child.stdin.take().ok_or("grep has no input")?.write_all(log)?;
    child.wait()?;
    Ok(0)
}
