//! `kharness inspect` and `kharness snapshot export`, as people and scripts use them, on a made-up guest.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../inspect/tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use support::{Guest, LOCK_A, LOCK_B, Options};
use tempfile::TempDir;

/// A directory with a vmcore of the made-up guest.
fn vmcore() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vmcore");
    Guest::new(Options::default()).kernel().export_vmcore(&path).unwrap();
    (directory, path)
}

fn kharness(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kharness")).args(arguments).output().unwrap()
}

fn inspect(path: &Path, arguments: &[&str]) -> Output {
    kharness(&[&["inspect", path.to_str().unwrap()], arguments].concat())
}

fn json(path: &Path, arguments: &[&str]) -> Value {
    let output = inspect(path, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).unwrap()
}

#[test]
fn every_view_prints_one_json_document() {
    let (_directory, path) = vmcore();
    for view in ["tasks", "dmesg", "modules", "slabs", "zones", "runqueues", "stack"] {
        let document = json(&path, &[view]);
        assert!(!document["items"].as_array().unwrap().is_empty(), "{view}");
        assert_eq!(document["broke_at"], serde_json::json!([]), "{view}");
    }
    assert_eq!(json(&path, &["sym", "init_task"])[0]["symbol"], "init_task");
    assert_eq!(json(&path, &["print", "init_task.comm"])[0]["value"], "swapper/0");
}

#[test]
fn tasks_can_be_filtered_by_state_and_name() {
    let (_directory, path) = vmcore();
    let pids = |arguments: &[&str]| -> Vec<i64> {
        let document = json(&path, &[&["tasks"], arguments].concat());
        document["items"].as_array().unwrap().iter().map(|it| it["pid"].as_i64().unwrap()).collect()
    };
    assert_eq!(pids(&["--state", "D"]), [10, 11]);
    assert_eq!(pids(&["--name", "init"]), [1]);
}

#[test]
fn the_summary_names_the_deadlock_and_what_hangs_in_it() {
    let (_directory, path) = vmcore();
    let shown = text(&inspect(&path, &[]).stdout);
    for part in [
        "Linux 6.99.0-made-up (x86_64), 1 CPUs, 8 MiB, 3 tasks".to_owned(),
        "Tainted: W".to_owned(),
        "DEADLOCK of 2 tasks:".to_owned(),
        format!("10 worker-a waits for mutex {LOCK_B:#x}; 11 worker-b has it"),
        format!("11 worker-b waits for mutex {LOCK_A:#x}; 10 worker-a has it"),
        "take_b_second+0x20".to_owned(),
        "deadlock ahead".to_owned(),
    ] {
        assert!(shown.contains(&part), "`{part}` is not in:\n{shown}");
    }
}

#[test]
fn a_bad_file_is_exit_code_2_with_the_reason_and_the_offset() {
    let (directory, path) = vmcore();
    let bad = directory.path().join("bad");
    for (content, reason) in [
        (&b"\x1f\x8b no dump"[..], "offset 0"),
        (b"KDUMP   ", "offset 0x0"),
        (&std::fs::read(&path).unwrap()[..100], "offset 0x40"),
        (b"\x7fELF\x02\x01\x01", "truncated"),
    ] {
        std::fs::write(&bad, content).unwrap();
        let output = inspect(&bad, &["tasks"]);
        assert_eq!(output.status.code(), Some(2), "{reason}");
        assert!(text(&output.stderr).contains(reason), "{}", text(&output.stderr));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn an_unknown_name_is_exit_code_2_with_the_nearest_one() {
    let (_directory, path) = vmcore();
    for (arguments, hint) in [
        (&["print", "init_task.exit_stat"][..], "did you mean `exit_state`"),
        (&["sym", "slab_cachse"], "did you mean `slab_caches`"),
        (&["stack", "4711"], "no thread 4711"),
    ] {
        let output = inspect(&path, arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(hint), "{}", text(&output.stderr));
    }
}

#[test]
fn an_exported_vmcore_is_inspected_like_its_source() {
    let (directory, path) = vmcore();
    let copy = directory.path().join("copy");
    let output =
        kharness(&["snapshot", "export", path.to_str().unwrap(), "-o", copy.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("build-id abcdef"));
    assert_eq!(json(&copy, &["tasks"]), json(&path, &["tasks"]));
}
