//! Tests with the same kernel and machine are copies of one booted guest.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::bench::{Bench, KHARNESS, Outcome, text};
use crate::processes::{machines, wait_until};
use crate::project::{file, has_kernel, module, suite};

/// Prints what only the memory of one booted guest knows (the random address of the agent's stack,
/// field 28 of proc_pid_stat(5)), its age, and what is in a directory that it then writes to.
const TRACES: &str = "machine: { cpus: 1, memory: 256MiB }
repeat: 3
steps:
  - id: nonce
    shell: cut -d' ' -f28 /proc/1/stat
  - id: age
    shell: cut -d' ' -f1 /proc/uptime
  - id: found
    shell: ls /tmp; touch /tmp/was-here
  - id: clock
    shell: date +%s
";

/// What step number `step` of each test printed.
fn printed(outcome: &Outcome, step: usize) -> Vec<String> {
    let output = |result: &Value| text(&result["steps"][step], "stdout").trim().to_owned();
    outcome.document["results"].as_array().unwrap().iter().map(output).collect()
}

/// The kernel's time in seconds at its last line.
fn last_stamp(console: &str) -> f64 {
    let stamp = |line: &str| line.strip_prefix('[')?.split_once(']')?.0.trim().parse().ok();
    console.lines().rev().find_map(stamp).unwrap()
}

#[test]
fn copies_share_what_the_boot_left_and_nothing_else() {
    let bench = Bench::with("traces", TRACES);
    let outcome = bench.run([] as [&str; 0]);
    outcome.assert_code(0);
    let results = outcome.document["results"].as_array().unwrap();
    assert!(results.iter().all(|result| result["attempts"][0]["forked"] == true));
    let nonces = printed(&outcome, 0);
    assert!(nonces.iter().all(|nonce| *nonce == nonces[0]), "the boot is the same: {nonces:?}");
    assert_eq!(printed(&outcome, 2), [""; 3], "what one copy writes no other sees");
    let template = std::fs::read_to_string(bench.run_dir().join("templates/traces/console.log"));
    let saved_at = last_stamp(&template.unwrap());
    let goes_on = |age: &String| (saved_at..saved_at + 30.0).contains(&age.parse().unwrap());
    let ages = printed(&outcome, 1);
    assert!(ages.iter().all(goes_on), "time goes on from {saved_at}: {ages:?}");
    let now = chrono::Utc::now().timestamp();
    let is_now = |clock: &String| (now - clock.parse::<i64>().unwrap()).abs() < 120;
    assert!(printed(&outcome, 3).iter().all(is_now), "the wall clock is the host's");
}

#[test]
fn without_forks_each_test_boots() {
    let bench = Bench::with("traces", TRACES);
    let outcome = bench.run(["--no-fork"]);
    outcome.assert_code(0);
    let nonces = printed(&outcome, 0);
    assert!(nonces[0] != nonces[1] && nonces[1] != nonces[2], "{nonces:?}");
}

#[test]
fn a_copy_that_crashes_is_a_crash_and_its_memory_is_kept() {
    let bench = Bench::with("dies", "repeat: 2\nsteps:\n  - sysrq: c\n");
    let outcome = bench.run([] as [&str; 0]);
    outcome.assert_code(1);
    for id in ["dies", "dies#2"] {
        assert_eq!(outcome.result(id)["status"], "crash", "{}", outcome.stderr);
        assert!(bench.run_dir().join(id).join("snapshot/manifest.json").is_file());
    }
    outcome.assert_told(&["sysrq_handle_crash"]);
}

#[test]
fn a_harness_that_is_killed_leaves_no_copy_and_no_template() {
    let bench = Bench::with("sleeps", "repeat: 2\nsteps:\n  - run: [sleep, 60]\n");
    let mut harness = bench.command().args(["-j", "2"]).spawn().unwrap();
    let asleep = |id: &str| {
        let console = std::fs::read(bench.run_dir().join(id).join("console.log"));
        String::from_utf8_lossy(&console.unwrap_or_default()).contains("kharness: step")
    };
    let both = wait_until(Duration::from_secs(120), || asleep("sleeps") && asleep("sleeps#2"));
    harness.kill().unwrap();
    harness.wait().unwrap();
    assert!(both, "both copies should have come to their step");
    let gone = wait_until(Duration::from_secs(10), || machines(&bench.run_dir()).is_empty());
    assert!(gone, "machines are left");
}

/// Saves its memory, after it did something or nothing.
fn saves(does: &str) -> String {
    format!(
        "machine: {{ cpus: 1, memory: 256MiB }}\nsteps:\n  - shell: {does}\n  - snapshot: end\n"
    )
}

/// Pages of the one memory that the other has not, and how many of them are full of `filler`.
fn differing(one: &Path, other: &Path, filler: u8) -> (usize, usize) {
    const PAGE: usize = 4096;
    let (one, other) = (std::fs::read(one).unwrap(), std::fs::read(other).unwrap());
    assert_eq!(one.len(), other.len());
    let pairs = one.chunks(PAGE).zip(other.chunks(PAGE));
    let differ: Vec<&[u8]> = pairs.filter(|(a, b)| a != b).map(|(a, _)| a).collect();
    (differ.len(), differ.iter().filter(|page| page.iter().all(|byte| *byte == filler)).count())
}

#[test]
fn two_copies_differ_in_what_they_did_and_in_little_else() {
    let bench = Bench::new();
    bench.scenario("idle", &saves("'true'"));
    bench.scenario("idle-too", &saves("'true'"));
    bench.scenario(
        "fills",
        &saves("mkdir /t; mount -t tmpfs t /t; tr '\\0' x < /dev/zero | head -c 16777216 > /t/f"),
    );
    bench.run(["--keep", "--no-canary"]).assert_code(0);
    let memory = |id: &str| bench.run_dir().join(id).join("snapshots/end/memory.img");
    let (all, _) = differing(&memory("idle"), &memory("idle-too"), b'x');
    let pages = (256 << 20) / 4096;
    assert!(all < pages / 20, "copies that did nothing differ in {all} of {pages} pages");
    let (all, filled) = differing(&memory("fills"), &memory("idle"), b'x');
    assert!(filled >= 4096, "16 MiB are there: {filled}");
    assert!(all < filled + pages / 20, "and {all} pages differ");
}

/// A place with the project's own test modules, and one scenario.
fn with_modules(yaml: &str) -> Bench {
    let bench = Bench::with("planted", yaml);
    let modules = concat!(env!("CARGO_MANIFEST_DIR"), "/guest-image/modules");
    std::os::unix::fs::symlink(modules, bench.path("modules")).unwrap();
    bench
}

/// Ten scenarios that plant a fault all see the report of it; ten times in one guest, only the first does.
fn fresh_in_each_of_ten_copies_and_spent_in_one_guest(
    kernel: &str,
    module: &str,
    test: &str,
    report: &str,
) {
    if !has_kernel(kernel) {
        return;
    }
    let head = format!("kernel: {kernel}\nmachine: {{ memory: 256MiB }}\n");
    let expect = format!("expect:\n  - {{ report: {report}, count: 1 }}\n");
    let modules = format!("modules: [{{ name: {module}, params: {{ test: {test} }} }}]\n");
    let bench = with_modules(&format!("{head}repeat: 10\n{modules}{expect}"));
    let outcome = bench.run(["--no-canary"]);
    outcome.assert_code(0);
    assert_eq!(outcome.document["results"].as_array().unwrap().len(), 10);

    let load = format!("  - load: {{ module: {module}, params: {{ test: {test} }} }}\n");
    let again = format!("  - unload: {module}\n{load}").repeat(9);
    let bench = with_modules(&format!("{head}{modules}steps:\n{again}{expect}"));
    let outcome = bench.run(["--no-canary", "--no-fork"]);
    outcome.assert_code(0);
    let steps = outcome.result("planted")["steps"].as_array().unwrap();
    let loads = steps.iter().filter(|step| step["kind"] == "load" || step["kind"] == "module");
    assert_eq!(loads.count(), 10, "{}", outcome.stderr);
}

#[test]
fn lockdep_is_fresh_in_each_of_ten_copies() {
    fresh_in_each_of_ten_copies_and_spent_in_one_guest(
        "debug",
        "kh_locking",
        "mutex_abba",
        "lockdep.circular",
    );
}

#[test]
fn kasan_is_fresh_in_each_of_ten_copies() {
    fresh_in_each_of_ten_copies_and_spent_in_one_guest(
        "kasan",
        "kh_badmem",
        "reads_after_free",
        "kasan.slab-use-after-free",
    );
}

/// A module whose test comes to a WARN_ONCE() that often.
fn warns(bench: &Bench, name: &str, times: u32) {
    let body = format!(
        "    extern \"C\" {{\n        fn plant();\n    }}\n    for _ in 0..{times} {{\n        \
         // SAFETY: it warns, and no more.\n        unsafe {{ plant() }};\n    }}"
    );
    module(bench, name, &suite(name, &body));
    file(
        &bench.path("modules").join(name).join("plant.c"),
        "// SPDX-License-Identifier: GPL-2.0\n#include <linux/bug.h>\n\nvoid plant(void);\n\n\
         void plant(void)\n{\n\tWARN_ONCE(1, \"planted\\n\");\n}\n",
    );
}

#[test]
fn warn_once_is_fresh_in_each_of_ten_copies_and_spent_after_the_first_in_one_guest() {
    if !has_kernel("debug") {
        return;
    }
    let bench = Bench::new();
    warns(&bench, "once", 1);
    warns(&bench, "often", 10);
    let scenario = |name: &str| {
        format!(
            "kernel: debug\nmachine: {{ memory: 256MiB }}\nmodules: [{name}]\n\
             expect:\n  - {{ report: warning, count: 1 }}\n"
        )
    };
    bench.scenario("once", &format!("repeat: 10\n{}", scenario("once")));
    bench.scenario("often", &scenario("often"));
    let outcome = bench.run(["--no-canary"]);
    outcome.assert_code(0);
    assert_eq!(outcome.document["results"].as_array().unwrap().len(), 11);
}

/// Saves a snapshot in the second of two copies at a time.
const SAVES_OFTEN: &str = "machine: { cpus: 1, memory: 256MiB }
repeat: 6
steps:
  - run: [uname]
  - snapshot: one
  - snapshot: two
";

#[test]
fn a_harness_that_is_killed_at_any_moment_of_saving_and_copying_leaves_nothing_that_harms() {
    let bench = Bench::with("saves", SAVES_OFTEN);
    let booted = || {
        let console = std::fs::read(bench.run_dir().join("templates/saves/console.log"));
        String::from_utf8_lossy(&console.unwrap_or_default()).contains("Run /init as init process")
    };
    for moment in 0..10 {
        let _ = std::fs::remove_dir_all(bench.run_dir());
        let mut harness =
            bench.command().args(["-j", "2", "--keep", "--no-canary"]).spawn().unwrap();
        let came_up = wait_until(Duration::from_secs(120), booted);
        // The agent's start, the silence, the saving, the copies: a second and a half, emulated.
        std::thread::sleep(Duration::from_millis(moment * 150));
        harness.kill().unwrap();
        harness.wait().unwrap();
        assert!(came_up, "moment {moment}");
        let gone = wait_until(Duration::from_secs(10), || machines(&bench.run_dir()).is_empty());
        assert!(gone, "machines are left after moment {moment}");
        for dir in snapshots(&bench.run_dir()) {
            let command = [OsStr::new("inspect"), dir.as_os_str(), OsStr::new("tasks")];
            let outcome = Outcome::of(Command::new(KHARNESS).args(command));
            assert!(matches!(outcome.code, Some(0 | 2)), "{}: {}", dir.display(), outcome.stderr);
            let whole = dir.join("manifest.json").exists();
            assert_eq!(outcome.code == Some(0), whole, "{}: {}", dir.display(), outcome.stderr);
        }
    }
    bench.run(["-j", "2", "--no-canary"]).assert_code(0);
}

/// Directories of snapshots below that of a run.
fn snapshots(run: &Path) -> Vec<PathBuf> {
    let entries = |dir: PathBuf| {
        std::fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path())
    };
    entries(run.to_owned()).flat_map(|test| entries(test.join("snapshots"))).collect()
}

#[test]
fn the_wall_clock_is_what_the_scenario_says_in_copies_and_in_guests_that_boot() {
    let bench = Bench::new();
    let stated = "machine: { cpus: 1, memory: 256MiB }\nclock: 2030-01-31T12:00:00Z\nsteps:\n  \
                  - run: [date, -u, +%F]\n    expect:\n      - stdout: ^2030-01-31$\n";
    bench.scenario("copied", stated);
    bench.scenario("copied-too", stated);
    bench.scenario("booted", &format!("fresh_boot: true\n{stated}"));
    let outcome = bench.run(["--no-canary"]);
    outcome.assert_code(0);
    for (id, forked) in [("copied", true), ("copied-too", true), ("booted", false)] {
        assert_eq!(outcome.result(id)["attempts"][0]["forked"], forked);
    }
}

#[test]
fn the_clock_of_the_boot_is_the_same_in_every_copy() {
    let yaml = "machine: { cpus: 1, memory: 256MiB }\nclock: boot\nrepeat: 3\nsteps:\n  \
                - run: [date, +%s]\n  - sleep: 4s\n";
    let bench = Bench::with("clock", yaml);
    let outcome = bench.run(["--no-canary", "--jobs", "1"]);
    outcome.assert_code(0);
    let times: Vec<i64> = printed(&outcome, 0).iter().map(|text| text.parse().unwrap()).collect();
    let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert!(last - first < 4, "{times:?}");
}

/// Open files and resident memory, in KiB, of a process.
fn holds(process: u32) -> Option<(usize, u64)> {
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).ok()?.count();
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some((files, line.trim().strip_suffix(" kB")?.trim().parse().ok()?))
}

/// How many results are on disk.
fn finished(run_dir: &Path) -> usize {
    let journal = std::fs::read_to_string(run_dir.join("results.jsonl")).unwrap_or_default();
    journal.lines().count().saturating_sub(1)
}

/// `KHARNESS_FORKS` says how many; 500 by default.
#[test]
#[ignore = "takes minutes: `cargo nextest run --run-ignored only -E 'test(hundreds_of_copies)'`"]
fn hundreds_of_copies_in_a_row_without_a_flake_or_a_leak() {
    let count = std::env::var("KHARNESS_FORKS").map_or(500, |text| text.parse::<usize>().unwrap());
    let yaml = "machine: { cpus: 1, memory: 256MiB }\nsteps:\n  - run: [uname]\n";
    let bench = Bench::with("again", yaml);
    let repeat = count.to_string();
    let more = ["--repeat", repeat.as_str(), "--no-canary", "-j", "2"];
    let mut harness =
        bench.command().args(more).stdout(std::process::Stdio::null()).spawn().unwrap();
    let after = |share: usize| {
        let reached = || finished(&bench.run_dir()) >= count * share / 10;
        assert!(wait_until(Duration::from_secs(7200), reached), "{share} tenths");
        // How many guests are about to end differs from moment to moment.
        let looks = std::iter::repeat_with(|| {
            std::thread::sleep(Duration::from_millis(50));
            holds(harness.id()).unwrap()
        });
        looks.take(20).min().unwrap()
    };
    let (early, late) = (after(2), after(9));
    assert!(harness.wait().unwrap().success());
    assert!(machines(&bench.run_dir()).is_empty());
    eprintln!("{count} copies: files and KiB {early:?} after a fifth, {late:?} after nine tenths");
    assert!(late.0 <= early.0, "files: {early:?}, {late:?}");
    // Results of all tests stay in memory, some kilobytes each.
    let grown = late.1.saturating_sub(early.1);
    assert!(grown < 64 * count as u64, "memory: {early:?}, {late:?}");
    let document = std::fs::read(bench.run_dir().join("results.json")).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    let results = document["results"].as_array().unwrap();
    assert_eq!(results.len(), count);
    assert!(results.iter().all(|result| result["status"] == "pass"));
    assert!(results.iter().all(|result| result["attempts"][0]["forked"] == true));
}
