//! The history of runs.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::documents::{KHARNESS, Outcome, Place, document, repeated, result, with_measure};

/// A run on a day, on a kernel.
fn run(day: usize, release: &str, results: Vec<Value>) -> Value {
    let mut run = document(&format!("run-{day:02}"), results);
    run["run"]["started"] = json!(format!("2026-11-{day:02}T10:00:00Z"));
    run["kernels"][0]["release"] = json!(release);
    run
}

fn history(place: &Place, words: &[&str]) -> Outcome {
    let mut command = place.command();
    Outcome::of(command.args(["history", "--history", "h.db"]).args(words))
}

/// Five runs, of which the last two fail.
fn filled() -> Place {
    let place = Place::new();
    for day in 1..=5_usize {
        let (release, status) = if day < 4 { ("6.1.0-1", "pass") } else { ("6.1.0-2", "fail") };
        let results =
            vec![with_measure(result("mm/a", status), "alloc", 10.0), result("mm/b", "pass")];
        place.save(&format!("runs/{day}/results.json"), &run(day, release, results));
    }
    history(&place, &["--import", "runs"]).assert(0, &[]);
    place
}

#[test]
fn a_trend_tells_rate_duration_numbers_and_the_first_bad_kernel() {
    let place = filled();
    let outcome = history(&place, &["mm/a"]);
    outcome
        .assert(0, &["mm/a  ...FF", "3 of 5 (23 to 88 %)", "duration 3.1 s", "alloc 10.0000 ns"]);
    outcome.assert(0, &["first bad 6.1.0-2 (run run-04; last good: 6.1.0-1)"]);
    assert!(!outcome.stdout.contains("mm/b"));
    let trends: Value = serde_json::from_str(&history(&place, &["--json"]).stdout).unwrap();
    assert_eq!(trends[0]["first_bad"]["release"], "6.1.0-2");
    assert_eq!(trends[1]["first_bad"], Value::Null);
}

#[test]
fn a_run_that_is_recorded_twice_counts_once() {
    let place = filled();
    history(&place, &["--import", "runs"]).assert(0, &["3 of 5"]);
}

#[test]
fn a_directory_of_results_is_a_history_too_and_nothing_is_recorded() {
    let place = filled();
    let words = ["history", "--from", "runs", "--history", "other.db"];
    place.run(words).assert(0, &["3 of 5"]);
    assert!(!place.path("other.db").exists());
}

#[test]
fn runs_of_the_history_are_baselines() {
    let place = filled();
    let failing = place.save("now.json", &document("now", vec![result("mm/a", "fail")]));
    let gate = |name: &str| {
        let mut command = place.command();
        command.args(["gate", "--history", "h.db", "--baseline", name, "--current"]);
        Outcome::of(command.arg(&failing))
    };
    gate("6.1.0-1").assert(1, &["Regression mm/a"]);
    gate("run-01").assert(1, &["Regression mm/a"]);
    gate("last").assert(0, &[]);
}

#[test]
fn what_is_no_database_is_refused() {
    let place = Place::new();
    std::fs::write(place.path("h.db"), "not a database at all, but a text").unwrap();
    history(&place, &[]).assert(3, &["history h.db", "not a database"]);
}

#[test]
fn the_database_survives_a_hundred_kills() {
    let place = Place::new();
    let results = repeated("a", 200, |id, _| with_measure(result(id, "pass"), "n", 1.0));
    for part in 0..4 {
        let results = results.clone();
        place.save(&format!("runs/{part}/results.json"), &run(part + 1, "r", results));
    }
    history(&place, &["--import", "runs/0"]).assert(0, &[]);
    for kill in 0..100_u64 {
        let mut command = Command::new(KHARNESS);
        command.current_dir(place.path("")).args([
            "history",
            "--history",
            "h.db",
            "--import",
            "runs",
        ]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // At any point of its work, which takes a few tens of milliseconds.
        sleep(Duration::from_millis(kill % 50 * 2));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    history(&place, &["--check"]).assert(0, &["integrity: ok"]);
    history(&place, &["--import", "runs"]).assert(0, &["800 of 800"]);
}
