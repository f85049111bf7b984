//! Formats, as readers see them that are not ours.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::documents::{
    Outcome, Place, document, read, repeated, result, with_measure, with_report,
};
use crate::readers::{junit_xsd, kunit, python, script};

/// One result of every status, and what is hard to write down.
fn every_status() -> Value {
    let statuses = ["pass", "fail", "crash", "timeout", "skip", "xfail", "xpass", "flaky", "error"];
    let mut results: Vec<Value> =
        statuses.iter().map(|status| result(&format!("suite/{status}"), status)).collect();
    let mut flaky = result("suite/flaky", "flaky");
    let first = json!({ "status": "fail", "cause": "at first", "duration_ms": 9, "warnings": [] });
    flaky["attempts"] = json!([first, { "status": "pass", "duration_ms": 8, "warnings": [] }]);
    results[7] = flaky;
    let odd =
        with_report(with_measure(result("other/odd # name", "pass"), "alloc", 12.5), "f", true);
    results.push(odd);
    document("every", results)
}

fn written(place: &Place, document: &Value) {
    let path = place.save("in/results.json", document);
    let words = ["report".into(), path, "--results-dir".into(), place.path("out")];
    place.run(words).assert(0, &[]);
}

#[test]
fn junit_is_read_by_junitparser_with_the_right_counts() {
    let Some(python) = python() else { return };
    let place = Place::new();
    written(&place, &every_status());
    let read = script(
        python,
        "import sys, json, junitparser as j\n\
         x = j.JUnitXml.fromfile(sys.argv[1])\n\
         print(json.dumps({'suites': [s.name for s in x], 'tests': x.tests, 'failures': x.failures,\n\
             'errors': x.errors, 'skipped': x.skipped,\n\
             'kinds': {c.name: [type(r).__name__ for r in c.result] for s in x for c in s},\n\
             'nested': [s.name for s in x if list(s.testsuites())]}))",
        &[&place.path("out/junit.xml")],
    );
    let read: Value = serde_json::from_str(&read).unwrap();
    assert_eq!(read["suites"], json!(["other", "suite"]));
    assert_eq!(read["nested"], json!([]));
    let counts = ["tests", "failures", "errors", "skipped"].map(|key| read[key].as_u64().unwrap());
    assert_eq!(counts, [10, 3, 2, 2], "{read}");
    for (name, kind) in [("fail", "Failure"), ("crash", "Error"), ("skip", "Skipped")] {
        assert_eq!(read["kinds"][name], json!([kind]), "{name}");
    }
    assert_eq!(read["kinds"]["pass"], json!([]));
}

/// What our files have beyond the schema: readers take it or leave it. quick-junit writes the counts and the time
/// of all suites, and how long an earlier attempt took; properties of a single test are what people look for
/// beside it.
const BEYOND_THE_SCHEMA: [&str; 5] = [
    "'skipped' attribute not allowed for element /testsuites",
    "'time' attribute not allowed for element /testsuites/testsuite/testcase/flakyFailure",
    "'time' attribute not allowed for element /testsuites/testsuite/testcase/rerunFailure",
    "'timestamp' attribute not allowed for element /testsuites",
    "Unexpected child with tag 'properties' at position 1. /testsuites/testsuite/testcase",
];

#[test]
fn junit_fits_the_schema_of_jenkins_but_for_what_is_stated() {
    let (Some(python), Some(xsd)) = (python(), junit_xsd()) else { return };
    let place = Place::new();
    let mut rerun = result("suite/rerun", "fail");
    let attempt = rerun["attempts"][0].clone();
    rerun["attempts"] = json!([attempt, attempt]);
    let mut every = every_status();
    every["results"].as_array_mut().unwrap().push(rerun);
    written(&place, &every);
    let told = script(
        python,
        "import sys, re, xmlschema\n\
         for e in xmlschema.XMLSchema(sys.argv[1]).iter_errors(sys.argv[2]):\n\
         \x20   print(e.reason, re.sub(r'\\[\\d+\\]', '', e.path or ''))",
        &[&xsd, &place.path("out/junit.xml")],
    );
    let mut told: Vec<&str> = told.lines().map(str::trim).collect();
    told.sort_unstable();
    told.dedup();
    assert_eq!(told, BEYOND_THE_SCHEMA);
}

#[test]
fn junit_has_flaky_elements_as_surefire_writes_them() {
    let place = Place::new();
    written(&place, &every_status());
    let text = fs::read_to_string(place.path("out/junit.xml")).unwrap();
    assert!(text.contains("<flakyFailure ") && text.contains("message=\"at first\""), "{text}");
    assert!(!text.contains('\u{1b}'), "control characters are not XML");
    let mut failing = result("a", "fail");
    let attempt = failing["attempts"][0].clone();
    failing["attempts"] = json!([attempt, attempt]);
    written(&place, &document("again", vec![failing]));
    assert!(fs::read_to_string(place.path("out/junit.xml")).unwrap().contains("<rerunFailure"));
}

#[test]
fn ktap_is_read_by_the_kernel_s_own_parser_with_the_right_counts() {
    let Some(kunit) = kunit() else { return };
    let place = Place::new();
    let results = vec![
        result("suite/good", "pass"),
        result("suite/bad # 1", "fail"),
        result("suite/left out", "skip"),
        result("suite/known", "xfail"),
    ];
    written(&place, &document("ktap", results));
    let mut parser = Command::new("python3");
    parser.arg(kunit.join("kunit.py")).arg("parse").arg(place.path("out/results.ktap"));
    let said = Outcome::of(&mut parser).stdout;
    // Leaves are counted: steps and expectations, and tests that have none.
    assert!(said.contains("Ran 6 tests: passed: 4, failed: 1, skipped: 1"), "{said}");
    assert!(said.contains("suite/bad : 1") && !said.contains("[ERROR]"), "{said}");
}

#[test]
fn ktap_of_a_run_that_ended_early_is_an_error_to_the_kernel_s_parser() {
    let Some(kunit) = kunit() else { return };
    let place = Place::new();
    let mut cut = document("ktap", vec![result("a", "skip")]);
    cut["run"]["planned"] = json!(["a", "b"]);
    cut["run"]["interrupted"] = json!(true);
    written(&place, &cut);
    let mut parser = Command::new("python3");
    parser.arg(kunit.join("kunit.py")).arg("parse").arg(place.path("out/results.ktap"));
    let said = Outcome::of(&mut parser).stdout;
    assert!(said.contains("[ERROR]"), "{said}");
}

#[test]
fn kcidb_is_valid_for_the_package_of_its_makers() {
    let Some(python) = python() else { return };
    let place = Place::new();
    written(&place, &every_status());
    script(
        python,
        "import sys, json\n\
         from kcidb_io.schema import V5_3\n\
         V5_3.validate(json.load(open(sys.argv[1])))",
        &[&place.path("out/kcidb.json")],
    );
    let report = read(&place.path("out/kcidb.json"));
    let of = |path: &str| {
        let tests = report["tests"].as_array().unwrap();
        tests.iter().find(|test| test["path"] == path).unwrap_or_else(|| panic!("{path}")).clone()
    };
    assert_eq!(of("kharness.suite.error")["status"], "MISS");
    assert_eq!(of("kharness.suite.crash")["status"], "FAIL");
    assert_eq!(of("kharness.other.odd___name.alloc")["number"]["value"], 12.5);
}

#[test]
fn github_gets_annotations_and_a_summary_that_is_added_to() {
    let place = Place::new();
    let path = place.save("in/results.json", &every_status());
    let summary = place.path("summary.md");
    fs::write(&summary, "before\n").unwrap();
    let mut command = place.command();
    command.arg("report").arg(path).env("GITHUB_ACTIONS", "true");
    let outcome = Outcome::of(command.env("GITHUB_STEP_SUMMARY", &summary));
    let annotations: Vec<&str> =
        outcome.stderr.lines().filter(|line| line.starts_with("::error ")).collect();
    assert_eq!(annotations.len(), 5, "{}", outcome.stderr);
    assert!(
        annotations[0]
            .starts_with("::error file=scenarios/suite/fail.yaml,title=fail suite/fail::why")
    );
    let text = fs::read_to_string(summary).unwrap();
    assert!(text.starts_with("before\n### ❌ kharness: 10 tests run"), "{text}");
    assert!(text.contains("`suite/crash`") && !text.contains("<b>"));
}

#[test]
fn results_of_the_first_schema_are_still_read() {
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/results/schema-1-first.json");
    let place = Place::new();
    place
        .run(["report", old, "--results-dir", "out"])
        .assert(0, &["4 tests run: 3 passed, 1 failed"]);
    place.run(["gate", "--baseline", old, "--current", old]).assert(0, &["nothing changed"]);
}

#[test]
fn results_of_a_later_schema_are_refused_with_what_to_do() {
    let place = Place::new();
    let mut later = document("later", repeated("a", 1, |id, _| result(id, "pass")));
    later["schema"] = json!(99);
    let path = place.save("results.json", &later);
    place.run(["report".into(), path]).assert(2, &["results.json", "schema 99", "update it"]);
}

#[test]
fn what_is_no_results_document_is_refused_with_its_place() {
    let place = Place::new();
    let path = place.path("results.json");
    for (text, words) in [
        ("{\n \"schema\": 1,", "results.json:2:"),
        ("[]", "results.json:1:"),
        ("", "not a results"),
    ] {
        fs::write(&path, text).unwrap();
        place.run(["report".into(), path.clone()]).assert(2, &[words]);
    }
    place.run(["report", "/nonexistent"]).assert(2, &["/nonexistent"]);
}

#[test]
fn a_file_that_cannot_be_written_is_told_and_the_others_are_written() {
    let place = Place::new();
    let path = place.save("in/results.json", &every_status());
    let junit = place.path("junit.xml");
    let words = [
        "report".into(),
        path,
        "--ktap".into(),
        "/proc/nonsuch/x".into(),
        "--junit".into(),
        junit.clone(),
    ];
    place.run(words).assert(3, &["cannot write /proc/nonsuch/x"]);
    assert!(junit.is_file());
}
