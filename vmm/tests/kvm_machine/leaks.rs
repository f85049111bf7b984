//! Nothing is left of a machine that was dropped.

use std::process::Command;

use crate::guest::Guest;
use crate::programs;

const BOOTS: usize = 200;

/// Kibibytes by which the allocator may grow the process; one leaked RAM page a boot would be more.
const SLACK_KIB: u64 = 2048;

/// Other tests run beside this one and have machines of their own, so it counts in a process of its own.
#[test]
fn many_machines_in_a_row_leave_nothing_behind() {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "leaks::alone", "--nocapture"])
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
#[ignore = "counts what belongs to the whole process; started by the test above"]
fn alone() {
    // What is made once and kept, such as the answer of the probe, is there after the first round.
    boot(5);
    let before = (count("fd"), count("task"), resident_kib());
    boot(BOOTS);
    let after = (count("fd"), count("task"), resident_kib());
    assert_eq!((after.0, after.1), (before.0, before.1), "file descriptors, threads");
    assert!(after.2 < before.2 + SLACK_KIB, "{} KiB became {} KiB", before.2, after.2);
}

fn boot(times: usize) {
    for round in 0..times {
        let Some(guest) = Guest::boot(programs::count(), &[0; 8]) else { return };
        if round % 2 == 0 {
            std::thread::yield_now();
        }
        drop(guest);
    }
}

fn count(what: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count()
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}
