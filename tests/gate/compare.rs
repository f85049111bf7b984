//! The gate: what is new counts, and nothing else.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::documents::{
    Outcome, Place, document, read, repeated, result, with_measure, with_report,
};

/// Compares two sets of results.
fn gate(place: &Place, base: Vec<Value>, current: Vec<Value>, more: &[&str]) -> Outcome {
    let base = place.save("base.json", &document("base", base));
    gate_with(place, &base, current, more)
}

fn gate_with(place: &Place, base: &PathBuf, current: Vec<Value>, more: &[&str]) -> Outcome {
    let current = place.save("current.json", &document("current", current));
    let mut command = place.command();
    command
        .args(["gate", "--history", "none", "--baseline"])
        .arg(base)
        .arg("--current")
        .arg(current);
    Outcome::of(command.args(more))
}

fn all(id: &str, count: usize, status: &str) -> Vec<Value> {
    repeated(id, count, |id, _| result(id, status))
}

/// Numbers around `middle` that differ from call to call and are the same in every run.
fn noisy(middle: f64, seed: usize, n: usize) -> f64 {
    let mut x = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ (n as u64).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 31;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^= x >> 29;
    middle * (1.0 + 0.1 * (f64::from((x >> 40) as u32 & 0xffff) / 65536.0 - 0.5))
}

fn measured(middle: f64, seed: usize) -> Vec<Value> {
    repeated("slab/alloc", 8, |id, n| {
        with_measure(result(id, "pass"), "alloc_ns", noisy(middle, seed, n))
    })
}

#[test]
fn a_test_that_passed_and_fails_is_a_regression_with_its_name() {
    let place = Place::new();
    let outcome = gate(&place, all("mm/a", 1, "pass"), all("mm/a", 1, "fail"), &[]);
    outcome.assert(1, &["Regression mm/a: passed before and fails: why it is fail"]);
}

#[test]
fn an_equal_kernel_passes_twenty_times_in_a_row() {
    let place = Place::new();
    for seed in 1..=20 {
        let outcome = gate(&place, measured(100.0, 0), measured(100.0, seed), &[]);
        outcome.assert(0, &["nothing changed"]);
    }
}

#[test]
fn a_slower_allocator_is_caught_and_less_than_the_margin_is_not() {
    let place = Place::new();
    let slower = gate(&place, measured(100.0, 0), measured(125.0, 3), &[]);
    slower.assert(1, &["Regression slab/alloc: alloc_ns ", "p = ", "8 against 8 samples"]);
    gate(&place, measured(100.0, 0), measured(125.0, 3), &["--margin", "40"]).assert(0, &[]);
    gate(&place, measured(125.0, 0), measured(100.0, 3), &[]).assert(0, &[]);
}

/// The same, measured while the hypervisor took most of the CPU time.
fn starved(mut results: Vec<Value>) -> Vec<Value> {
    for result in &mut results {
        result["attempts"][0]["host"] = json!({
            "load_per_cpu": 9.0, "steal_percent": 60.0, "cpu_wait_percent": 0.0,
            "cpu_denied_percent": 0.0, "memory_stall_percent": 0.0,
        });
    }
    results
}

#[test]
fn a_number_that_is_worse_on_an_overloaded_host_is_neither_good_nor_a_regression() {
    let place = Place::new();
    let told = "Error slab/alloc: alloc_ns ";
    gate(&place, measured(100.0, 0), starved(measured(200.0, 3)), &[])
        .assert(3, &[told, "the host was overloaded: measure again"]);
    gate(&place, measured(100.0, 0), starved(measured(100.0, 3)), &[]).assert(0, &[]);
}

#[test]
fn numbers_of_hosts_that_were_overloaded_alike_are_compared() {
    let place = Place::new();
    let base = || starved(measured(100.0, 0));
    gate(&place, base(), starved(measured(125.0, 3)), &[]).assert(1, &["Regression slab/alloc"]);
    gate(&place, base(), starved(measured(100.0, 3)), &[]).assert(0, &[]);
}

#[test]
fn numbers_of_a_quiet_host_are_enough_without_those_of_an_overloaded_one() {
    let place = Place::new();
    let mut current = measured(100.0, 3);
    let late = (20..50)
        .map(|n| with_measure(result(&format!("slab/alloc#{n}"), "pass"), "alloc_ns", 300.0));
    let late = starved(late.collect());
    current.extend(late);
    gate(&place, measured(100.0, 0), current, &[]).assert(0, &["nothing changed"]);
}

#[test]
fn a_new_report_in_a_passing_test_is_a_regression_and_a_known_one_is_not() {
    let place = Place::new();
    let passing = |fingerprint| vec![with_report(result("a", "pass"), fingerprint, false)];
    gate(&place, passing("old"), passing("new"), &[])
        .assert(1, &["a: new kernel report: warning: WARNING in new"]);
    gate(&place, passing("old"), passing("old"), &[]).assert(0, &[]);
    gate(&place, all("a", 1, "pass"), passing("new"), &[]).assert(1, &["new kernel report"]);
}

#[test]
fn a_crash_is_never_excused_by_a_passing_retry() {
    let place = Place::new();
    let mut current = all("a", 9, "pass");
    current[4]["status"] = json!("crash");
    let outcome = gate(&place, all("a", 10, "pass"), current, &[]);
    outcome.assert(1, &["Regression a: crashed 1 of 9"]);
}

#[test]
fn a_flaky_test_is_told_with_its_rate_and_does_not_gate_unless_it_is_to() {
    let place = Place::new();
    let flaky = || repeated("a", 20, |id, n| result(id, if n % 5 == 0 { "fail" } else { "pass" }));
    let told = "Flaky a: fails 4 of 20 (8 to 42 %)";
    gate(&place, all("a", 20, "pass"), flaky(), &["--fail-on-flaky"])
        .assert(1, &[told, "Regression"]);
    gate(&place, flaky(), flaky(), &[]).assert(0, &[told]);
    let seldom = repeated("a", 20, |id, n| result(id, if n == 5 { "flaky" } else { "pass" }));
    gate(&place, all("a", 20, "pass"), seldom, &[]).assert(0, &["Flaky a: fails 1 of 20"]);
}

#[test]
fn a_failure_rate_that_rose_is_a_regression() {
    let place = Place::new();
    let often = repeated("a", 20, |id, n| result(id, if n % 2 == 0 { "fail" } else { "pass" }));
    let seldom = repeated("a", 20, |id, n| result(id, if n == 5 { "fail" } else { "pass" }));
    gate(&place, seldom, often, &[])
        .assert(1, &["failed 1 of 20 (1 to 24 %) before and fails 10 of 20"]);
}

#[test]
fn fixes_new_and_gone_tests_are_listed_and_a_new_one_that_fails_gates() {
    let place = Place::new();
    let base = [all("fixed", 1, "fail"), all("gone", 1, "pass")].concat();
    let good = [all("fixed", 1, "pass"), all("new", 1, "pass")].concat();
    let outcome = gate(&place, base.clone(), good, &[]);
    outcome.assert(0, &["Fixed fixed", "New new", "Gone gone", "1 fixes, 1 new, 1 gone"]);
    gate(&place, base, all("new", 1, "fail"), &[]).assert(1, &["Regression new: is new and fails"]);
}

#[test]
fn an_unexpected_pass_gates_and_an_error_of_the_host_is_no_verdict() {
    let place = Place::new();
    gate(&place, all("a", 1, "xfail"), all("a", 1, "xpass"), &[]).assert(1, &["Xpass a"]);
    gate(&place, all("a", 1, "pass"), all("a", 1, "error"), &[]).assert(3, &["Error a"]);
    gate(&place, all("a", 1, "pass"), all("a", 1, "skip"), &[])
        .assert(0, &["Gone a: is skipped now"]);
}

#[test]
fn known_failures_are_written_with_reason_link_and_last_day_and_excuse_until_then() {
    let place = Place::new();
    let (baseline, failing) = (place.path("baseline.json"), || all("a", 1, "fail"));
    let write = |more: &[&str]| {
        let mut words = vec!["--write-baseline", baseline.to_str().unwrap()];
        words.extend(more);
        gate(&place, all("a", 1, "pass"), failing(), &words)
    };
    write(&[]).assert(2, &["say with --reason why these are known: a"]);
    let reason = ["--reason", "a race", "--link", "https://example.org/1", "--until"];
    write(&[&reason[..], &["2100-01-01"]].concat()).assert(0, &["1 known failures"]);
    let known = &read(&baseline)["known"][0];
    assert_eq!((&known["test"], &known["until"]), (&json!("a"), &json!("2100-01-01")));
    let new = [failing(), all("b", 1, "fail")].concat();
    gate_with(&place, &baseline, new, &[]).assert(1, &["Regression b"]);
    // What fails in the baseline is no regression anyway; the entry is what excuses its return.
    let mut expired = read(&baseline);
    expired["side"]["tests"]["a"]["counts"] = json!({ "pass": 1 });
    let path = place.save("known.json", &expired);
    gate_with(&place, &path, failing(), &[]).assert(0, &["Known a"]);
    expired["known"][0]["until"] = json!("2020-01-01");
    let path = place.save("expired.json", &expired);
    gate_with(&place, &path, failing(), &[]).assert(1, &["Expired a", "a race", "Regression a"]);
    gate_with(&place, &path, all("a", 1, "pass"), &[]).assert(0, &["Stale a"]);
}

#[test]
fn a_baseline_that_is_not_there_is_told_with_what_it_could_be() {
    let place = Place::new();
    let current = place.save("current.json", &document("c", all("a", 1, "pass")));
    let words = ["gate", "--baseline", "nonsuch", "--current", current.to_str().unwrap()];
    place.run(words).assert(2, &["no baseline nonsuch", "`last` in the history"]);
}
