//! Whatever way a run ends, no machine outlives it.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::bench::Bench;
use crate::processes::{machines, wait_until};

/// Longer than any test waits.
const LONG: &str = "machine: { cpus: 1, memory: 256MiB }\nsteps:\n  - id: mark\n    run: [uname]\n  \
    - id: long\n    run: [sleep, '1000']\n    timeout: 1000s\n";

/// A run that is in the middle of its second step.
fn in_mid_run(bench: &Bench) -> Child {
    let mut command = bench.command();
    let harness = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let console = bench.run_dir().join("long/console.log");
    let marker = "kharness: step long";
    let reached =
        || fs::read(&console).is_ok_and(|log| String::from_utf8_lossy(&log).contains(marker));
    assert!(wait_until(Duration::from_secs(120), reached), "the guest never came to its step");
    assert_eq!(machines(&bench.run_dir()).len(), 1);
    harness
}

fn send(harness: &Child, signal: Signal) {
    kill_process(Pid::from_child(harness), signal).unwrap();
}

#[test]
fn no_machine_survives_the_kill_of_its_harness_by_a_second() {
    let bench = Bench::with("long", LONG);
    let mut harness = in_mid_run(&bench);
    send(&harness, Signal::KILL);
    let gone = wait_until(Duration::from_secs(1), || machines(&bench.run_dir()).is_empty());
    assert!(gone, "still there: {:?}", machines(&bench.run_dir()));
    assert_eq!(harness.wait().unwrap().signal(), Some(Signal::KILL.as_raw()));
}

#[test]
fn ctrl_c_ends_the_run_in_order() {
    let bench = Bench::with("long", LONG);
    let mut harness = in_mid_run(&bench);
    send(&harness, Signal::INT);
    assert_eq!(harness.wait().unwrap().code(), Some(130));
    assert!(machines(&bench.run_dir()).is_empty());
    let results = fs::read(bench.run_dir().join("results.json")).unwrap();
    let document: Value = serde_json::from_slice(&results).unwrap();
    assert_eq!(document["run"]["interrupted"], true);
}

#[test]
fn a_run_that_ends_by_itself_leaves_nothing_running() {
    let bench = Bench::with("clean", crate::bench::CLEAN);
    bench.run::<&str>([]).assert_code(0);
    assert!(machines(&bench.run_dir()).is_empty());
}
