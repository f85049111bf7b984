//! Results that CI can trust: parts, the gate, a busy host, runs that are killed, a search.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::bench::{Bench, CLEAN, KHARNESS, Outcome, SKIPPED, text};
use crate::processes::wait_until;

#[test]
fn parts_are_disjoint_and_merge_to_the_run_of_one_machine() {
    let bench = Bench::new();
    for name in ["a", "b", "c", "d", "e"] {
        bench.scenario(name, SKIPPED);
    }
    let alone = bench.run::<&str>([]);
    let run = |part: &str| {
        let mut command = Command::new(KHARNESS);
        command.args(["run", "scenarios", "--partition", part, "--run-dir"]);
        command.arg(format!("parts/{}", part.replace('/', "-")));
        Outcome::of(bench.in_place(&mut command)).assert_code(0);
    };
    run("hash:1/2");
    run("hash:2/2");
    let mut merge = Command::new(KHARNESS);
    merge.args(["merge", "parts", "--json"]);
    let merged = Outcome::of(bench.in_place(&mut merge));
    merged.assert_code(0);
    let essence = |document: &Value| -> Vec<(String, String)> {
        let results = document["results"].as_array().unwrap().iter();
        results.map(|r| (text(r, "id").to_owned(), text(r, "status").to_owned())).collect()
    };
    assert_eq!(essence(&merged.document), essence(&alone.document));
}

#[test]
fn a_run_that_is_killed_leaves_what_had_finished_and_says_that_it_is_incomplete() {
    let bench = Bench::with("a", CLEAN);
    bench.scenario("b", "machine: { cpus: 1, memory: 256MiB }\nsteps:\n  - run: [sleep, '1000']\n    timeout: 1000s\n");
    let mut command = bench.command();
    // Room for both: which of them begins first is not promised.
    command.args(["--jobs", "2"]);
    let mut harness = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let journal = bench.run_dir().join("results.jsonl");
    let finished = || fs::read_to_string(&journal).is_ok_and(|text| text.lines().count() == 2);
    assert!(wait_until(Duration::from_secs(180), finished), "the first test never ended");
    kill_process(Pid::from_child(&harness), Signal::KILL).unwrap();
    harness.wait().unwrap();
    let mut report = Command::new(KHARNESS);
    report.arg("merge").arg(bench.run_dir()).args(["--json", "--history", "none"]);
    let outcome = Outcome::of(bench.in_place(&mut report));
    outcome.assert_code(3).assert_told(&["test b of the whole"]);
    assert_eq!(outcome.result("a")["status"], "pass");
    assert_eq!(outcome.document["run"]["interrupted"], true);
}

/// Its result does not fit into what is left of the last block of a file.
const TALKS: &str = "machine: { cpus: 1, memory: 256MiB }\nsteps:\n  - run: [seq, '4000']\n";

/// Runs eight tests, one after the other; as soon as the result of one is kept, `mishap` befalls the
/// directory of the run, `$RUN`. What the run leaves is kept in `kept`. The next tests are made ready meanwhile, so
/// those are eight.
fn with_mishap(bench: &Bench, prepare: &str, mishap: &str, harness: &str) -> Outcome {
    for name in 'a'..='h' {
        bench.scenario(&name.to_string(), TALKS);
    }
    let script = format!(
        "mkdir $RUN; {prepare}\n\
         (until [ \"$(wc -l < $RUN/results.jsonl)\" = 2 ]; do sleep 0.01; done 2>/dev/null; {mishap}) >&2 &\n\
         code=0; {harness} \"$@\" || code=$?\nwait; cp -r $RUN kept; chmod -R u+w $RUN; exit $code"
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-ec", &script, "sh"]).env("RUN", bench.run_dir());
    command.args(bench.arguments()).args(["--jobs", "1", "--no-canary"]);
    let outcome = Outcome::of(bench.in_place(&mut command));
    outcome.assert_code(3);
    outcome
}

/// What `kharness` says of the results that were kept.
fn told_of_kept(bench: &Bench, words: &[&str], code: i32) -> String {
    let mut command = Command::new(KHARNESS);
    let output = bench.in_place(command.args(words)).output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8(told).unwrap();
    assert_eq!(output.status.code(), Some(code), "{words:?}: {told}");
    told
}

#[test]
fn a_disk_that_fills_up_in_mid_run_leaves_what_had_finished_and_says_that_it_is_incomplete() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("NOT TESTED: no full disk can be made here, without root");
        return;
    }
    let bench = Bench::new();
    let prepare = "mount -t tmpfs -o size=2m none $RUN";
    let mishap = "cat /dev/zero > $RUN/filler";
    let run = with_mishap(&bench, prepare, mishap, KHARNESS);
    run.assert_told(&["cannot write", "No space left on device"]);
    let merged = told_of_kept(&bench, &["merge", "kept", "--history", "none"], 3);
    assert!(merged.contains(" of the whole") && merged.contains("Missing test "), "{merged}");
    let gate = ["gate", "--baseline", "kept", "--current", "kept", "--history", "none"];
    let gated = told_of_kept(&bench, &gate, 3);
    let both = "the results are incomplete; the baseline is incomplete";
    assert!(gated.contains(both), "{gated}");
    let reported = told_of_kept(&bench, &["report", "kept", "--html", "page.html"], 0);
    assert!(
        reported.contains("incomplete: the run ended early") && bench.path("page.html").is_file(),
        "{reported}"
    );
}

#[test]
fn a_run_directory_that_becomes_read_only_in_mid_run_leaves_what_had_finished() {
    let bench = Bench::new();
    let mut harness = KHARNESS.to_owned();
    if rustix::process::geteuid().is_root() {
        harness = format!("setpriv --bounding-set=-dac_override,-dac_read_search {KHARNESS}");
    }
    let run = with_mishap(&bench, "", "chmod 555 $RUN", &harness);
    run.assert_told(&["cannot write", "Permission denied"]);
    // The journal was open: it has all of it.
    let merged = told_of_kept(&bench, &["merge", "kept", "--history", "none"], 3);
    assert!(merged.contains("8 tests run") && merged.contains(" errors"), "{merged}");
}

/// Processes that keep CPU 0 busy, until they are dropped.
struct Hogs(Vec<Child>);

impl Hogs {
    fn new(count: usize) -> Self {
        let hog = |_| {
            Command::new("taskset").args(["-c", "0", "sh", "-c", "while :; do :; done"]).spawn()
        };
        Self((0..count).map(|n| hog(n).unwrap()).collect())
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}

#[test]
fn a_deadline_missed_on_an_overloaded_host_is_an_error_and_no_failure() {
    let bench = Bench::with(
        "busy",
        "machine: { cpus: 1, memory: 256MiB }\ntimeout: { boot: 300s, total: 600s }\nsteps:\n  - shell: 'while :; do :; done'\n    timeout: 5s\n",
    );
    let _hogs = Hogs::new(6);
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(KHARNESS).args(bench.arguments()).args(["--timeout-scale", "1"]);
    let outcome = Outcome::of(bench.in_place(&mut command));
    outcome.assert_code(3);
    let result = outcome.result("busy");
    assert_eq!(result["status"], "error");
    assert!(text(result, "cause").contains("but the host was overloaded"), "{}", result["cause"]);
    assert!(result["attempts"][0]["host"]["cpu_denied_percent"].as_f64().unwrap() > 50.0);
}

#[test]
fn the_commit_that_broke_a_scenario_is_found_with_real_guests() {
    let bench = Bench::new();
    let tree = bench.path("tree");
    fs::create_dir(&tree).unwrap();
    let git = |words: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(&tree).args(["-c", "user.name=t", "-c", "user.email=t@example.org"]);
        assert!(git.args(words).stdout(Stdio::null()).status().unwrap().success());
    };
    git(&["init", "-q"]);
    for n in 1..=4 {
        let exit = if n < 3 { 0 } else { 1 };
        fs::write(tree.join("payload"), format!("#!/bin/sh\n# {n}\nexit {exit}\n")).unwrap();
        git(&["add", "-A"]);
        git(&["commit", "-q", "-m", &format!("commit {n}")]);
        git(&["tag", &format!("v{n}")]);
    }
    let scenario = "machine: { cpus: 1, memory: 256MiB }\nfiles:\n  - { from: ../tree/payload, to: /payload, mode: '0755' }\nsteps:\n  - run: [/payload]\n";
    let scenario = bench.scenario("planted", scenario);
    let kernel = std::env::var("KHARNESS_KERNEL").unwrap_or_else(|_| "debian".into());
    let mut command = Command::new(KHARNESS);
    command
        .args(["bisect", "v1", "v4"])
        .arg(scenario)
        .args(["--kernel", &kernel, "--tree", "tree"]);
    command.args(["--build", "true", "--most", "2"]);
    let output = bench.in_place(&mut command).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("is the first bad commit") && said.contains("commit 3"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
