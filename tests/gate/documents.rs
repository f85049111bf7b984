//! Makes results up, and runs the command on them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The command under test.
pub const KHARNESS: &str = env!("CARGO_BIN_EXE_kharness");

/// A place for results and databases.
pub struct Place {
    dir: TempDir,
}

/// What the command came to.
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a document, and the directories above it.
    pub fn save(&self, name: &str, document: &Value) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, document.to_string()).unwrap();
        path
    }

    /// The command, apart from the user's own results and from any service.
    pub fn command(&self) -> Command {
        let mut command = Command::new(KHARNESS);
        command.current_dir(self.dir.path()).env("XDG_STATE_HOME", self.path("state"));
        for name in ["GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "CI_NODE_INDEX", "CI_NODE_TOTAL"] {
            command.env_remove(name);
        }
        command
    }

    pub fn run<S: AsRef<std::ffi::OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Outcome {
        Outcome::of(self.command().args(words))
    }
}

impl Outcome {
    pub fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(!stderr.contains("panicked at"), "{stderr}");
        Self { code: status.code(), stdout: String::from_utf8(stdout).unwrap(), stderr }
    }

    #[track_caller]
    pub fn assert(&self, code: i32, words: &[&str]) -> &Self {
        let all = format!("{}{}", self.stdout, self.stderr);
        assert_eq!(self.code, Some(code), "{all}");
        for word in words {
            assert!(all.contains(word), "nothing of {word:?} in:\n{all}");
        }
        self
    }
}

/// A run of these results.
pub fn document(id: &str, results: Vec<Value>) -> Value {
    let planned: Vec<&Value> = results.iter().map(|result| &result["id"]).collect();
    json!({
        "schema": 1,
        "run": {
            "id": id, "started": "2026-11-22T20:00:00Z",
            "host": { "name": "host", "kernel": "6.1.0", "arch": "x86_64", "cpus": 2 },
            "backend": "qemu-tcg", "backend_reason": "a reason", "seed": 7, "duration_ms": 60000,
            "interrupted": false, "dir": "/nonexistent", "flaky_fails": false,
            "planned": planned, "plan_digest": "d",
        },
        "kernels": [{ "name": "debian", "release": "6.1.0-50", "arch": "x86_64", "image": "/boot/vmlinuz" }],
        "results": results,
    })
}

/// One result. What is not good has a cause and a console.
pub fn result(id: &str, status: &str) -> Value {
    let cause = (status != "pass").then(|| format!("why it is {status}: <b> & \u{1b}[1m"));
    json!({
        "id": id, "scenario": format!("scenarios/{id}.yaml"), "kernel": "debian", "cell": {},
        "status": status, "cause": cause, "duration_ms": 3100,
        "attempts": [{ "status": status, "cause": cause, "duration_ms": 3100, "boot_ms": 2000,
                       "started_ms": 10, "worker": 0, "warnings": [], "forked": false }],
        "steps": [
            { "id": "work", "kind": "shell", "status": "done", "start_ms": 2100, "duration_ms": 500,
              "exit": 0, "stdout": "out\n" },
        ],
        "reports": [], "expectations": [{ "text": "exit: 0", "step": "work", "held": status == "pass" }],
        "metrics": { "boot_ms": 2000.0 }, "artifacts": [],
        "repro": format!("kharness run scenarios/{id}.yaml"),
        "excerpt": if status == "pass" { vec![] } else { vec!["[    1.0] a line ]]> of the console"] },
    })
}

/// The same result with a kernel report.
pub fn with_report(mut result: Value, fingerprint: &str, expected: bool) -> Value {
    result["reports"] = json!([{
        "kind": "warning", "title": format!("WARNING in {fingerprint}"), "function": fingerprint,
        "fingerprint": fingerprint, "step": "work", "expected": expected,
        "allowed": if expected { Value::Null } else { json!("it is known") },
        "corrupted": false, "start": 0, "end": 10,
    }]);
    result
}

/// The same result with a number in ns.
pub fn with_measure(mut result: Value, name: &str, value: f64) -> Value {
    result["measures"] = json!({ name: { "value": value, "unit": "ns", "better": "lower" } });
    result
}

/// Repetitions of a test, each made by `make` out of its id and number.
pub fn repeated(id: &str, count: usize, make: impl Fn(&str, usize) -> Value) -> Vec<Value> {
    (1..=count).map(|n| if n == 1 { make(id, n) } else { make(&format!("{id}#{n}"), n) }).collect()
}

/// Reads a JSON file.
pub fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}
