//! Runs in parts, and their merge.

use std::fs;

use serde_json::{Value, json};

use crate::documents::{Outcome, Place, document, read, result};

/// Part `index` of `total` with one test.
fn part(index: u32, total: u32, status: &str) -> Value {
    let id = format!("t/{index}");
    let mut part = document(&format!("run-{index}"), vec![result(&id, status)]);
    part["run"]["partition"] = json!({ "scheme": "slice", "index": index, "total": total });
    part
}

fn merge(place: &Place) -> Outcome {
    let words = ["merge", "parts", "--output", "all.json", "--history", "none"];
    place.run(words)
}

#[test]
fn parts_make_the_whole() {
    let place = Place::new();
    for index in 1..=3 {
        place.save(&format!("parts/{index}/results.json"), &part(index, 3, "pass"));
    }
    merge(&place).assert(0, &["3 tests run: 3 passed"]);
    let whole = read(&place.path("all.json"));
    let ids: Vec<&str> =
        whole["results"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["t/1", "t/2", "t/3"]);
    assert_eq!(whole["run"]["interrupted"], false);
}

#[test]
fn a_missing_part_is_noticed_and_the_whole_is_not_good() {
    let place = Place::new();
    place.save("parts/1/results.json", &part(1, 3, "pass"));
    place.save("parts/3/results.json", &part(3, 3, "pass"));
    merge(&place).assert(3, &["Missing part slice:2/3"]);
    assert_eq!(read(&place.path("all.json"))["run"]["interrupted"], true);
    place.save("parts/3/results.json", &part(3, 3, "fail"));
    merge(&place).assert(1, &["Missing part slice:2/3"]);
}

#[test]
fn a_part_that_ended_early_and_was_run_again_counts_once() {
    let place = Place::new();
    place.save("parts/1.0/results.json", &part(1, 2, "pass"));
    let mut cut = part(2, 2, "fail");
    cut["run"]["interrupted"] = json!(true);
    cut["run"]["planned"] = json!(["t/2", "t/4"]);
    place.save("parts/2.0/results.json", &cut);
    merge(&place).assert(1, &["Missing test t/4 of slice:2/2"]);
    place.save("parts/2.1/results.json", &part(2, 2, "pass"));
    merge(&place).assert(0, &["2 tests run: 2 passed", "Left out slice:2/2"]);
}

#[test]
fn parts_of_different_runs_are_refused() {
    let place = Place::new();
    place.save("parts/1/results.json", &part(1, 2, "pass"));
    let mut other = part(2, 2, "pass");
    other["run"]["plan_digest"] = json!("other");
    place.save("parts/2/results.json", &other);
    merge(&place).assert(2, &["are not parts of one run"]);
    place.save("parts/2/results.json", &part(2, 3, "pass"));
    merge(&place).assert(2, &["cut all parts of a run in the same way"]);
}

#[test]
fn a_killed_run_is_read_from_its_journal_and_marked_incomplete() {
    let place = Place::new();
    let whole = document("run", vec![result("a", "pass"), result("b", "fail")]);
    let head = json!({ "event": "started", "schema": 1, "run": whole["run"], "kernels": whole["kernels"] });
    let first = json!({ "event": "result", "result": whole["results"][0] });
    fs::create_dir_all(place.path("run")).unwrap();
    let text = format!("{head}\n{first}\n{{\"event\":\"resu");
    fs::write(place.path("run/results.jsonl"), text).unwrap();
    let outcome = place.run(["merge", "run", "--json", "--history", "none"]);
    outcome.assert(3, &["Missing test b of the whole"]);
    let document: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(document["results"].as_array().unwrap().len(), 1);
    assert_eq!(document["run"]["interrupted"], true);
}

#[test]
fn the_merge_waits_for_parts() {
    let place = Place::new();
    place.save("parts/1/results.json", &part(1, 2, "pass"));
    let late = std::thread::scope(|scope| {
        let merging = scope.spawn(|| {
            place.run(["merge", "parts", "--wait-for", "2", "--wait", "60s", "--history", "none"])
        });
        std::thread::sleep(std::time::Duration::from_millis(1500));
        place.save("next/results.json", &part(2, 2, "pass"));
        fs::rename(place.path("next"), place.path("parts/2")).unwrap();
        merging.join().unwrap()
    });
    late.assert(0, &["2 tests run: 2 passed"]);
}
