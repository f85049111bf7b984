//! What must hold for any bytes whatever.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use klog::{Item, Report, Scanner, ktap};
use proptest::prelude::*;

/// Pieces of kernel messages and of noise, to be strung together at random.
const PIECES: [&str; 30] = [
    "[    1.000000] ",
    "[    1.000000][  T12] ",
    "[    1.000001][    C0] ",
    "<4>",
    "6,1,1000,-;",
    "login: ",
    "\n",
    "\r\n",
    "\0",
    "\u{1b}[31m",
    "------------[ cut here ]------------",
    "WARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2",
    "BUG: KASAN: use-after-free in f+0x1/0x2",
    "Call Trace:",
    " f+0x1/0x2",
    " ? g+0x3/0x4 [m]",
    "---[ end trace 0000000000000000 ]---",
    "Kernel panic - not syncing: x",
    "BUG: unable to handle page fault for address: 00",
    "Oops: 0000 [#1] SMP",
    "RIP: 0010:f+0x1/0x2",
    "possible circular locking dependency detected",
    "INFO: task a:1 blocked for more than 1 seconds.",
    "x invoked oom-killer: gfp_mask=0x0(G), order=0",
    "[ pid ] name oom_score_adj",
    "[ 1] a",
    "Killed process 1 (a)",
    "rcu: INFO: rcu_sched self-detected stall on CPU",
    "CPU: 0 PID: 1 Comm: a Not tainted 1 #1",
    "====================",
];

fn pieced() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec((0..PIECES.len(), prop::bool::weighted(0.5)), 0..120).prop_map(|picks| {
        let mut log = Vec::new();
        for (piece, ends) in picks {
            log.extend_from_slice(PIECES[piece].as_bytes());
            if ends {
                log.push(b'\n');
            }
        }
        log
    })
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

proptest! {
    #[test]
    fn any_bytes_are_a_log(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        let reports = klog::reports(&bytes);
        prop_assert!(reports.iter().all(|report| report.start < report.end && report.end <= bytes.len() as u64));
    }

    #[test]
    fn chunking_does_not_change_the_result(log in pieced(), chunk in 1_usize..200) {
        prop_assert_eq!(items(&log, chunk), items(&log, log.len().max(1)));
    }

    #[test]
    fn records_cover_the_log_in_order(log in pieced()) {
        let mut at = 0;
        for item in items(&log, 64) {
            if let Item::Record(record) = item {
                prop_assert_eq!(record.start, at);
                prop_assert!(record.end > record.start);
                at = record.end;
            }
        }
        prop_assert_eq!(at, log.len() as u64);
    }

    #[test]
    fn reports_lie_inside_the_log(log in pieced()) {
        for report in klog::reports(&log) {
            prop_assert!(report.start < report.end && report.end <= log.len() as u64, "{:?}", report.title);
        }
    }

    #[test]
    fn any_text_is_ktap(lines in prop::collection::vec("( {0,6}|# ){0,3}(ok|not ok|1\\.\\.|KTAP version 1|# Subtest:|Bail out!)? ?[0-9]{0,3} ?[a-z# ]{0,8}(# SKIP|# TIMEOUT)?", 0..60)) {
        let document = ktap::parse(&lines.join("\n"));
        prop_assert!(document.leaves().len() <= 2 * lines.len() + 2);
    }

    #[test]
    fn interleaved_reports_with_callers_are_both_found(order in prop::collection::vec(any::<bool>(), 0..40)) {
        let one = splat(501, "first_culprit");
        let two = splat(502, "second_culprit");
        let titles: Vec<String> = klog::reports(woven(&one, &two, &order).as_bytes()).into_iter().map(|report| report.title).collect();
        prop_assert_eq!(titles.len(), 2);
        prop_assert!(titles.contains(&"WARNING in first_culprit".to_owned()) && titles.contains(&"WARNING in second_culprit".to_owned()));
    }
}

fn splat(task: u32, function: &str) -> Vec<String> {
    let lines = [
        "------------[ cut here ]------------".to_owned(),
        format!("WARNING: CPU: 0 PID: {task} at drivers/a.c:10 {function}+0x10/0x20"),
        "Modules linked in:".to_owned(),
        format!("CPU: 0 PID: {task} Comm: a Not tainted 6.1.0 #1"),
        format!("RIP: 0010:{function}+0x10/0x20"),
        "Call Trace:".to_owned(),
        " <TASK>".to_owned(),
        " caller+0x1/0x2".to_owned(),
        " </TASK>".to_owned(),
        "---[ end trace 0000000000000000 ]---".to_owned(),
    ];
    lines.into_iter().map(|line| format!("[    1.000000][ T{task}] {line}\n")).collect()
}

/// The lines of both, each in its own order, taken as `order` says.
fn woven(one: &[String], two: &[String], order: &[bool]) -> String {
    let (mut one, mut two) = (one.iter(), two.iter());
    let mut log = String::new();
    for &first in order {
        log.extend(if first { one.next() } else { two.next() }.map(String::as_str));
    }
    log.extend(one.chain(two).map(String::as_str));
    log
}

/// Doubling a log may about double the time, not square it. The limit is generous: other tests run at the same time.
#[test]
fn time_grows_in_line_with_the_log() {
    let report = fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/live/7.3-circular.log"),
    )
    .unwrap();
    let worst: [Vec<u8>; 4] = [
        report,
        b"[".to_vec(),
        b"[    1.000000] BUG: \n".to_vec(),
        b"BUG: x\n f+0x1/0x2\n".to_vec(),
    ];
    for unit in worst {
        let time = |bytes: usize| {
            let log: Vec<u8> = unit.iter().copied().cycle().take(bytes).collect();
            let begin = Instant::now();
            let reports: Vec<Report> = klog::reports(&log);
            (begin.elapsed(), reports.len())
        };
        let (small, _) = time(50_000);
        let (large, _) = time(200_000);
        assert!(large < small * 16 + Duration::from_millis(500), "{small:?} -> {large:?}");
    }
}
