//! Runs the command in a place of its own, and reads what it leaves.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The command under test.
pub const KHARNESS: &str = env!("CARGO_BIN_EXE_kharness");

/// A scenario that needs nothing and passes on every kernel.
pub const CLEAN: &str = "machine: { cpus: 1, memory: 256MiB }\nsteps:\n  - run: [uname, -r]\n";

/// A scenario that is skipped on every kernel: it plans a run and boots nothing.
pub const SKIPPED: &str = "requires: { kernel: '>=99' }\nsteps:\n  - run: [uname]\n";

/// A directory with scenarios and the results of one run.
pub struct Bench {
    dir: TempDir,
}

impl Bench {
    /// An empty one.
    pub fn new() -> Self {
        need_guests();
        Self { dir: TempDir::new().unwrap() }
    }

    /// One with a single scenario.
    pub fn with(name: &str, yaml: &str) -> Self {
        let bench = Self::new();
        bench.scenario(name, yaml);
        bench
    }

    /// Adds a scenario; its id is `name`.
    pub fn scenario(&self, name: &str, yaml: &str) -> PathBuf {
        let path = self.dir.path().join("scenarios").join(name).with_extension("yaml");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, yaml).unwrap();
        path
    }

    /// A path that nothing else uses.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where the run leaves its files.
    pub fn run_dir(&self) -> PathBuf {
        self.path("run")
    }

    /// What a run has to be told, for `kharness` or a program that starts it.
    pub fn arguments(&self) -> [PathBuf; 5] {
        let scenarios = self.path("scenarios");
        ["run".into(), scenarios, "--json".into(), "--run-dir".into(), self.run_dir()]
    }

    /// `kharness run` of all scenarios.
    pub fn command(&self) -> Command {
        self.command_of(self.arguments())
    }

    /// `kharness` with other words, here.
    pub fn command_of<I: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(KHARNESS);
        command.args(words);
        self.in_place(&mut command);
        command
    }

    /// Has `command` run here, apart from the results of the user.
    pub fn in_place<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .current_dir(self.dir.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .env("RUST_BACKTRACE", "1")
    }

    /// Runs all scenarios.
    pub fn run<I: AsRef<OsStr>>(&self, more: impl IntoIterator<Item = I>) -> Outcome {
        Outcome::of(self.command().args(more))
    }
}

/// What one run came to.
pub struct Outcome {
    /// The exit code.
    pub code: Option<i32>,
    /// The results document; null where there is none.
    pub document: Value,
    /// What a person reads.
    pub stderr: String,
    /// Wall time.
    pub took: Duration,
}

impl Outcome {
    /// Runs `command` to its end. Whatever it comes to, a bug must not show as a panic.
    pub fn of(command: &mut Command) -> Self {
        let start = Instant::now();
        let output = command.output().unwrap();
        Self::new(output, start.elapsed())
    }

    fn new(output: Output, took: Duration) -> Self {
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!stderr.contains("panicked at") && !stderr.contains("stack backtrace"), "{stderr}");
        let document = serde_json::from_slice(&output.stdout).unwrap_or_default();
        Self { code: output.status.code(), document, stderr, took }
    }

    /// The result of the test `id`.
    #[track_caller]
    pub fn result(&self, id: &str) -> &Value {
        let results = self.document["results"].as_array();
        let found = results.and_then(|results| results.iter().find(|result| result["id"] == id));
        found.unwrap_or_else(|| panic!("no result of {id}:\n{}", self.stderr))
    }

    /// Fails the test unless the exit code is `code`.
    #[track_caller]
    pub fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        self
    }

    /// Fails the test unless a person is told all of `words`.
    #[track_caller]
    pub fn assert_told(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(self.stderr.contains(word), "nothing of {word:?} in:\n{}", self.stderr);
        }
        self
    }
}

/// A text of the document; empty where there is none.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// What the command says of the kernel that runs use.
pub fn kernel() -> &'static Value {
    static KERNEL: OnceLock<Value> = OnceLock::new();
    KERNEL.get_or_init(|| {
        let name = std::env::var("KHARNESS_KERNEL").unwrap_or_else(|_| "debian".into());
        kernel_of("x86_64", &name)
    })
}

/// What the command says of the kernel `name` for `arch`.
pub fn kernel_of(arch: &str, name: &str) -> Value {
    let show = ["kernel", "show", name, "--arch", arch, "--json"];
    let show = Command::new(KHARNESS).args(show).output().unwrap();
    let told = String::from_utf8_lossy(&show.stderr);
    assert!(show.status.success(), "no kernel to test with: {told}");
    serde_json::from_slice(&show.stdout).unwrap()
}

/// Fails the test, with words on what to do, where no guest can be booted.
fn need_guests() {
    kernel();
    need("qemu-system-x86_64", "qemu-system-x86");
    need("busybox", "busybox-static");
}

fn need(program: &str, package: &str) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|dir: PathBuf| is_file(&dir.join(program)));
    assert!(found, "these tests need {program}: `apt-get install {package}`, or `./dev setup`");
}

fn is_file(path: &Path) -> bool {
    path.is_file()
}
