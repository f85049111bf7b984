//! Nothing is left of a machine that was dropped.

use std::process::Command;
use std::time::{Duration, Instant};

use vmm::{Machine, Stop};

use crate::guest::Guest;
use crate::programs;

const BOOTS: usize = 200;
/// Copies of one guest; every second is run and put back a few times.
const COPIES: usize = 60;

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
    copy(5);
    let before = (settled(|| (count("fd"), count("task"))), resident_kib());
    boot(BOOTS);
    copy(COPIES);
    let after = (settled(|| (count("fd"), count("task"))), resident_kib());
    assert_eq!(after.0, before.0, "file descriptors, threads");
    assert!(after.1 < before.1 + SLACK_KIB, "{} KiB became {} KiB", before.1, after.1);
}

/// What `look` gives once it gives the same for half a second: machines are closed on the side.
fn settled<T: PartialEq>(look: impl Fn() -> T) -> T {
    let mut last = look();
    let mut since = Instant::now();
    while since.elapsed() < Duration::from_millis(500) {
        std::thread::sleep(Duration::from_millis(10));
        let now = look();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    last
}

fn boot(times: usize) {
    for round in 0..times {
        // One is dropped at any point of its life; the next says its number and switches itself off.
        let Some(guest) = Guest::boot(programs::count(), &[0; 8]) else { return };
        drop(guest);
        let said = round.to_string();
        let data = [&(said.len() as u64).to_le_bytes()[..], said.as_bytes()].concat();
        let Some(guest) = Guest::boot(programs::serial(), &data) else { return };
        let outcome = guest.finish();
        assert_eq!((outcome.console, outcome.stop), (said.into_bytes(), Some(Stop::PowerOff)));
    }
}

fn copy(times: usize) {
    let Some(guest) = Guest::boot(programs::count(), &[0; 8]) else { return };
    let template = guest.save();
    for round in 0..times {
        if round % 2 == 0 {
            drop(template.fork());
            continue;
        }
        let mut copy = template.fork_to_reset();
        for _ in 0..3 {
            copy.machine.resume().unwrap();
            copy.machine.pause().unwrap();
            copy.machine.reset().unwrap();
        }
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
