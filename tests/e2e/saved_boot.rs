//! A guest that one invocation booted and saved, and others copy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::{Bench, KHARNESS, Outcome, text};

/// Where init's stack is, among other things: drawn at random when init is started.
const MAPS: &str = "machine: { cpus: 1, memory: 256MiB }
steps:
  - run: [cat, /proc/1/maps]
";

/// The scenarios of a bench, and a guest that was saved for them.
struct Saved {
    bench: Bench,
    dir: PathBuf,
    first: Outcome,
}

impl Saved {
    fn new() -> Self {
        let bench = Bench::with("it", MAPS);
        let dir = bench.path("boot");
        let first = bench.run(["--no-canary", "--save-boot", dir.to_str().unwrap()]);
        first.assert_code(0).assert_told(&["Saved the booted guest"]);
        Self { bench, dir, first }
    }

    fn run(&self, more: &[&str]) -> Outcome {
        let from = ["--no-canary", "--from", self.dir.to_str().unwrap()];
        self.bench.run([&from, more].concat())
    }

    #[track_caller]
    fn refused(&self, words: &[&str]) {
        self.run(&[]).assert_code(2).assert_told(words);
    }
}

/// The end of init's stack, of which the start grows.
fn stack(maps: &str) -> &str {
    let line = maps.lines().find(|line| line.ends_with("[stack]"));
    let range = line.and_then(|line| line.split(' ').next()?.split_once('-'));
    range.unwrap_or_else(|| panic!("{maps}")).1
}

fn stack_of(outcome: &Outcome) -> &str {
    stack(text(&outcome.result("it")["steps"][0], "stdout"))
}

fn is_copy(outcome: &Outcome) -> bool {
    outcome.result("it")["attempts"][0]["forked"] == true
}

/// Changes a byte in the middle of the file.
fn damage(path: &Path) -> Vec<u8> {
    let before = fs::read(path).unwrap();
    let mut changed = before.clone();
    changed[before.len() / 2] ^= 1;
    fs::write(path, changed).unwrap();
    before
}

fn sha256(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn a_later_invocation_goes_on_in_the_guest_that_was_saved_and_a_person_too() {
    let saved = Saved::new();
    assert!(is_copy(&saved.first));
    for _ in 0..2 {
        let later = saved.run(&[]);
        later.assert_code(0);
        assert!(is_copy(&later));
        assert_eq!(stack_of(&later), stack_of(&saved.first), "the same boot");
    }
    let booted = saved.bench.run(["--no-canary", "--no-fork"]);
    assert_ne!(stack_of(&booted), stack_of(&saved.first), "another boot");

    let mut shell = saved.bench.command_of(["shell", "--from"]);
    shell.arg(&saved.dir).args(["--", "cat", "/proc/1/maps"]);
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(stack(&told), stack_of(&saved.first));

    // It is a snapshot like any other.
    let mut inspect = Command::new(KHARNESS);
    let output = inspect.arg("inspect").arg(&saved.dir).arg("tasks").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("init"), "{output:?}");
}

#[test]
fn what_is_damaged_or_another_s_is_refused_with_the_reason() {
    let saved = Saved::new();
    for name in ["memory.img", "state.machine", "state.harness", "state.console"] {
        let path = saved.dir.join(name);
        let before = damage(&path);
        saved.refused(&[name, "SHA-256 differs"]);
        fs::write(&path, before).unwrap();
    }
    let memory = fs::OpenOptions::new().write(true).open(saved.dir.join("memory.img")).unwrap();
    memory.set_len(4096).unwrap();
    saved.refused(&["memory.img", "0x1000 bytes"]);
    memory.set_len(256 << 20).unwrap();
    saved.refused(&["memory.img", "SHA-256 differs"]);

    let saved = Saved::new();
    saved.bench.scenario("it", &MAPS.replace("cpus: 1", "cpus: 2"));
    saved.refused(&["is not that of it", "its machine is"]);
    saved.bench.scenario("it", MAPS);
    let harness = saved.dir.join("state.harness");
    let (before, old) = (fs::read_to_string(&harness).unwrap(), sha256(&harness));
    assert!(before.contains("QEMU emulator version"), "{before}");
    fs::write(&harness, before.replace("QEMU emulator version", "QEMU emulator version 1."))
        .unwrap();
    let manifest = saved.dir.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace(&old, &sha256(&harness))).unwrap();
    saved.refused(&["its QEMU is QEMU emulator version 1."]);
}

#[test]
fn a_test_that_needs_more_than_the_saved_guest_holds_boots_and_says_so() {
    let saved = Saved::new();
    let file = saved.bench.path("scenarios/word");
    fs::write(&file, "word").unwrap();
    saved.bench.scenario("it", &format!("files: [{{ from: word, to: /etc/word }}]\n{MAPS}"));
    let outcome = saved.run(&[]);
    outcome.assert_code(0);
    assert!(!is_copy(&outcome));
    let attempt = &outcome.result("it")["attempts"][0];
    assert!(attempt["warnings"][0].as_str().unwrap().contains("does not hold"), "{attempt}");
}

#[test]
fn one_boot_is_saved_and_over_nothing_that_is_there() {
    let bench = Bench::with("one", MAPS);
    bench.scenario("other", &MAPS.replace("cpus: 1", "cpus: 2"));
    let dir = bench.path("boot");
    let save = ["--save-boot", dir.to_str().unwrap()];
    bench.run(save).assert_code(2).assert_told(&["one boot can be saved", "other", "one"]);
    fs::write(dir.join("mine"), "").unwrap();
    bench.run(save).assert_code(2).assert_told(&["something in it already"]);
}
