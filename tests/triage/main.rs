//! `kharness triage` as people and scripts call it.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod symbols;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn corpus(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name)
}

/// Runs the command on a file, which must give this exit code.
fn triage(options: &[&str], file: &Path, code: i32) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kharness"));
    let output = command.arg("triage").args(options).arg(file).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
    output
}

fn json(output: &[u8]) -> Vec<Value> {
    serde_json::from_slice(output).unwrap()
}

#[test]
fn a_report_gives_exit_1_and_its_fields() {
    let reports = json(&triage(&["--json"], &corpus("live/7.3-circular.log"), 1).stdout);
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0]["kind"], "lockdep.circular");
    assert_eq!(reports[0]["function"], "ba");
    assert_eq!(reports[0]["corrupted"], false);
    assert!(reports[0]["start"].as_u64() < reports[0]["end"].as_u64());
    assert_eq!(reports[0]["fields"]["chain"].as_array().unwrap().len(), 2);
}

#[test]
fn a_clean_log_gives_exit_0_and_an_empty_array() {
    assert!(json(&triage(&["--json"], &corpus("clean/boot-6.12-debian.log"), 0).stdout).is_empty());
}

#[test]
fn standard_input_is_read() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kharness"))
        .args(["triage", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let log = fs::read(corpus("written/arm64-bug-5.4.log")).unwrap();
    child.stdin.take().unwrap().write_all(&log).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("kernel BUG in sketch_evict_inode"));
}

#[test]
fn packed_logs_give_the_same_as_plain_ones() {
    let folder = tempfile::tempdir().unwrap();
    let plain = corpus("live/7.3-oom.log");
    let log = fs::read(&plain).unwrap();
    let gz = folder.path().join("log.gz");
    let file = fs::File::create(&gz).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    encoder.write_all(&log).unwrap();
    encoder.finish().unwrap();
    let zst = folder.path().join("log.zst");
    fs::write(&zst, zstd::encode_all(&log[..], 1).unwrap()).unwrap();
    let reports = |path: &Path| json(&triage(&["--json"], path, 1).stdout);
    assert_eq!(reports(&gz), reports(&plain));
    assert_eq!(reports(&zst), reports(&plain));
}

#[test]
fn bad_input_gives_exit_2_and_says_which_file() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.gz");
    fs::write(&broken, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2]).unwrap();
    for path in [PathBuf::from("no-such.log"), folder.path().to_owned(), broken] {
        let output = triage(&[], &path, 2);
        assert!(text(&output.stderr).contains(&path.display().to_string()));
    }
}

#[test]
fn people_get_an_explanation_and_a_link() {
    let shown = text(&triage(&[], &corpus("live/7.3-circular.log"), 1).stdout);
    for part in ["possible deadlock in ba", "both orders", "https://docs.kernel.org/locking"] {
        assert!(shown.contains(part), "{shown}");
    }
    let shown = text(&triage(&["--markdown"], &corpus("live/7.3-circular.log"), 1).stdout);
    assert!(shown.contains("## possible deadlock in ba"), "{shown}");
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}
