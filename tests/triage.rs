//! `kharness triage` as people and scripts call it.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use assert_cmd::Command;
use serde_json::Value;

fn corpus(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name)
}

fn triage() -> Command {
    let mut command = Command::cargo_bin("kharness").unwrap();
    command.arg("triage");
    command
}

fn json(output: &[u8]) -> Vec<Value> {
    serde_json::from_slice(output).unwrap()
}

#[test]
fn a_report_gives_exit_1_and_its_fields() {
    let assert = triage().args(["--json"]).arg(corpus("live/7.3-circular.log")).assert().code(1);
    let reports = json(&assert.get_output().stdout);
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0]["kind"], "lockdep.circular");
    assert_eq!(reports[0]["function"], "ba");
    assert_eq!(reports[0]["corrupted"], false);
    assert!(reports[0]["start"].as_u64() < reports[0]["end"].as_u64());
    assert_eq!(reports[0]["fields"]["chain"][0]["lock"]["class"], "lock_a");
}

#[test]
fn a_clean_log_gives_exit_0_and_an_empty_array() {
    let assert = triage().arg("--json").arg(corpus("clean/boot-6.12-debian.log")).assert().code(0);
    assert!(json(&assert.get_output().stdout).is_empty());
}

#[test]
fn standard_input_is_read() {
    let log = fs::read(corpus("written/arm64-bug-5.4.log")).unwrap();
    let assert = triage().arg("-").write_stdin(log).assert().code(1);
    assert!(text(&assert.get_output().stdout).contains("kernel BUG in sketch_evict_inode"));
}

#[test]
fn packed_logs_give_the_same_as_plain_ones() {
    let folder = tempfile::tempdir().unwrap();
    let plain = corpus("live/7.3-oom.log");
    let log = fs::read(&plain).unwrap();
    let gz = folder.path().join("log.gz");
    let mut encoder =
        flate2::write::GzEncoder::new(fs::File::create(&gz).unwrap(), flate2::Compression::fast());
    encoder.write_all(&log).unwrap();
    encoder.finish().unwrap();
    let zst = folder.path().join("log.zst");
    fs::write(&zst, zstd::encode_all(&log[..], 1).unwrap()).unwrap();
    let output = |path: &PathBuf| {
        triage().arg("--json").arg(path).assert().code(1).get_output().stdout.clone()
    };
    assert_eq!(output(&gz), output(&plain));
    assert_eq!(output(&zst), output(&plain));
}

#[test]
fn bad_input_gives_exit_2_and_says_which_file() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.gz");
    fs::write(&broken, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2]).unwrap();
    triage().arg(folder.path()).assert().code(2);
    for path in [PathBuf::from("no-such.log"), broken] {
        let assert = triage().arg(&path).assert().code(2);
        assert!(text(&assert.get_output().stderr).contains(&path.display().to_string()));
    }
}

#[test]
fn people_get_an_explanation_and_a_link() {
    let assert = triage().arg(corpus("live/7.3-circular.log")).assert().code(1);
    let shown = text(&assert.get_output().stdout);
    for part in ["possible deadlock in ba", "both orders", "https://docs.kernel.org/locking"] {
        assert!(shown.contains(part), "{shown}");
    }
    let assert = triage().arg("--markdown").arg(corpus("live/7.3-circular.log")).assert().code(1);
    assert!(text(&assert.get_output().stdout).contains("## possible deadlock in ba"));
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}
