//! The agent's workloads, as far as they need no guest.
#![allow(missing_docs, clippy::unwrap_used)]

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    let agent = env!("CARGO_BIN_EXE_kharness-agent");
    Command::new(agent).args(arguments).output().unwrap()
}

fn lines(output: &Output) -> Vec<serde_json::Value> {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_hog_touches_what_it_says() {
    let lines = lines(&run(&["kh-hog", "--size", "40MiB"]));
    let touched: Vec<u64> =
        lines.iter().filter_map(|line| line["touched_bytes"].as_u64()).collect();
    assert_eq!(touched, [16 << 20, 32 << 20, 40 << 20]);
}

#[test]
fn the_hog_keeps_its_rate() {
    let lines = lines(&run(&["kh-hog", "--size", "3MiB", "--rate", "10MiB/s"]));
    assert!(lines[0]["ms"].as_f64().unwrap() >= 300.0, "{lines:?}");
}

#[test]
fn the_storm_forks_all_and_no_more_at_a_time_than_stated() {
    let lines = lines(&run(&["kh-forkstorm", "--number", "50", "--width", "4"]));
    assert_eq!(lines[0]["forked"], 50);
    assert_eq!(lines[0]["refused"], 0);
    assert_eq!(lines[0]["most_at_a_time"], 4);
}

#[test]
fn spinners_share_their_cpu() {
    let output =
        run(&["kh-spin", "--for", "300ms", "--cpu", "0", "--task", "other", "--task", "other"]);
    let lines = lines(&output);
    assert_eq!(lines.len(), 2);
    let share = |line: &serde_json::Value| line["share"].as_f64().unwrap();
    for line in &lines {
        assert!(share(line) > 0.0 && line["rounds"].as_u64() > Some(0), "{line}");
        assert_eq!(line["cpus"], serde_json::json!([0]));
    }
    assert!(share(&lines[0]) + share(&lines[1]) < 1.05, "{lines:?}");
}

#[test]
fn every_wake_up_is_measured() {
    let output = run(&["kh-latency", "--for", "100ms", "--interval", "5ms", "--cpu", "0"]);
    let lines = lines(&output);
    assert_eq!(lines[0]["wakeups"], 20);
    let of = |name: &str| lines[0][name].as_f64().unwrap();
    assert!(0.0 < of("min_us") && of("min_us") <= of("p99_us") && of("p99_us") <= of("max_us"));
}

#[test]
fn arguments_that_make_no_sense_end_with_usage() {
    for arguments in [
        &["kh-hog"][..],
        &["kh-hog", "--size", "64"],
        &["kh-hog", "--size", "1MiB", "--forever"],
        &["kh-forkstorm", "--number", "1", "--width", "0"],
        &["kh-spin", "--for", "1s", "--task", "fifo"],
        &["kh-latency", "--for", "1ms", "--interval", "1s"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("usage: kh-"));
    }
}

#[test]
fn a_cpu_that_is_not_there_is_refused() {
    let output = run(&["kh-spin", "--for", "1s", "--cpu", "1000"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}
