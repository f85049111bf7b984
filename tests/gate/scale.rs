//! A thousand results: nothing takes long, and the page stays small.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::documents::{Place, document, result, with_measure};

/// What each command may take; a build without optimisation has four times as long.
const MOST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 8 } else { 2 });

/// Tests with the consoles that real ones have: 30 KiB, one in ten of them bad.
fn thousand(place: &Place) -> Value {
    let console: String = (0..400)
        .map(|n| format!("[{n:>5}.000000][    T1] a line of the console that has a usual length\n"))
        .collect();
    let results = (0..1000).map(|n| {
        let status = if n % 10 == 0 { "fail" } else { "pass" };
        let id = format!("suite-{}/test-{n}", n % 20);
        let name = format!("in/{id}/console.log");
        std::fs::create_dir_all(place.path(&name).parent().unwrap()).unwrap();
        std::fs::write(place.path(&name), &console).unwrap();
        let mut result = with_measure(result(&id, status), "n", f64::from(n % 7));
        result["artifacts"] = json!([format!("{id}/console.log")]);
        result
    });
    document("thousand", results.collect())
}

fn timed(what: &str, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    let took = start.elapsed();
    println!("1000 results: {what} took {:.2} s", took.as_secs_f64());
    assert!(took < MOST, "{what} took {took:?}");
}

#[test]
fn a_thousand_results_are_merged_gated_and_drawn_in_no_time() {
    let place = Place::new();
    let document = thousand(&place);
    place.save("in/results.json", &document);
    for part in 0..8_u32 {
        let mut one = document.clone();
        let results = document["results"].as_array().unwrap().iter().skip(part as usize).step_by(8);
        let results: Vec<Value> = results.cloned().collect();
        one["run"]["planned"] = results.iter().map(|result| result["id"].clone()).collect();
        one["results"] = results.into();
        one["run"]["id"] = json!(format!("part-{part}"));
        one["run"]["partition"] = json!({ "scheme": "slice", "index": part + 1, "total": 8 });
        place.save(&format!("parts/{part}/results.json"), &one);
    }
    timed("merge", || {
        let words = ["-q", "merge", "parts", "--output", "all.json", "--history", "none"];
        place.run(words).assert(1, &[]);
    });
    timed("gate", || {
        let words = ["gate", "--baseline", "in", "--current", "all.json", "--history", "none"];
        place.run(words).assert(0, &["nothing changed"]);
    });
    timed("page", || {
        place.run(["report", "in", "--html", "page.html"]).assert(0, &[]);
    });
    let size = std::fs::metadata(place.path("page.html")).unwrap().len();
    println!("1000 results: the page has {} kB", size / 1000);
    assert!(size < 5_000_000, "{size} bytes");
}
