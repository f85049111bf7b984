//! Tests that are run again and again.

use serde_json::Value;

use crate::bench::{Bench, text};

/// Fails with the seed 12, and with no other near it.
const FAILS_WITH_12: &str = "machine: { cpus: 1, memory: 256MiB }
steps:
  - id: chance
    shell: test $KHARNESS_SEED != 12
";

#[test]
fn until_fail_ends_with_the_seed_that_fails_which_the_repro_line_states() {
    let bench = Bench::with("chance", FAILS_WITH_12);
    let outcome = bench.run(["--until-fail", "--seed", "10", "--no-canary", "--jobs", "1"]);
    outcome.assert_code(1);
    let results = outcome.document["results"].as_array().unwrap();
    let ids: Vec<&str> = results.iter().map(|result| text(result, "id")).collect();
    assert_eq!(ids, ["chance", "chance#2", "chance#3"]);
    let last = &results[2];
    assert_eq!(text(last, "status"), "fail");
    assert!(text(last, "repro").contains("--seed 12"), "{last}");
    assert!(results.iter().all(|result| result["attempts"][0]["forked"] == true));
    assert_eq!(outcome.document["run"]["interrupted"], false);
}

#[test]
fn a_soak_goes_on_for_its_time_whatever_fails() {
    let bench = Bench::with("chance", FAILS_WITH_12);
    let outcome = bench.run(["--soak", "20s", "--seed", "11", "--no-canary", "--jobs", "1"]);
    outcome.assert_code(1);
    let results = outcome.document["results"].as_array().unwrap();
    let failed = |result: &&Value| text(result, "status") == "fail";
    assert!(results.len() > 2, "{}", outcome.stderr);
    assert_eq!(results.iter().filter(failed).count(), 1, "{}", outcome.stderr);
    assert!(outcome.took.as_secs() >= 20);
    assert_eq!(outcome.document["run"]["interrupted"], false);
}
