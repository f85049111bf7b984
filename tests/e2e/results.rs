//! What a run leaves: the results document, its directory, and the line that runs a test again.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::Value;

use crate::bench::{Bench, CLEAN, KHARNESS, Outcome, text};

const FAILING: &str = "machine: { cpus: 1, memory: 256MiB }\nsteps:\n  - id: wrong\n    \
    shell: echo out; echo err >&2; exit 3\nexpect:\n  - cel: steps.wrong.exit == 0\n    \
    because: it matters\n";

#[test]
fn the_document_has_the_shape_that_its_schema_promises() {
    let bench = Bench::new();
    bench.scenario("clean", CLEAN);
    bench.scenario("failing", FAILING);
    let outcome = bench.run(["--seed", "7"]);
    outcome.assert_code(1);
    assert_valid(&outcome.document);
    assert_eq!(outcome.document["schema"], 1);
    let run = &outcome.document["run"];
    assert_eq!((&run["seed"], &run["interrupted"]), (&7.into(), &false.into()));
    assert!(!text(run, "id").is_empty() && !text(run, "backend").is_empty());
    let kernel = &outcome.document["kernels"][0];
    assert_eq!(text(kernel, "release"), text(crate::bench::kernel(), "release"));
    assert_failing(outcome.result("failing"));
    assert_passing(outcome.result("clean"));
    assert_directory(&bench, &outcome);
}

fn assert_valid(document: &Value) {
    let schema = Command::new(KHARNESS).args(["schema", "--results"]).output().unwrap();
    let schema: Value = serde_json::from_slice(&schema.stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<String> =
        validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

fn assert_failing(result: &Value) {
    assert_eq!(result["status"], "fail");
    assert_eq!(result["cause"], "step wrong (shell) exited with 3");
    let step = &result["steps"][0];
    assert_eq!((&step["id"], &step["kind"]), (&"wrong".into(), &"shell".into()));
    assert_eq!((&step["stdout"], &step["stderr"]), (&"out\n".into(), &"err\n".into()));
    let expectation = &result["expectations"][0];
    assert_eq!(expectation["held"], false);
    assert_eq!(expectation["because"], "it matters");
    assert!(expectation["details"].to_string().contains("steps.wrong.exit = 3"), "{expectation}");
}

fn assert_passing(result: &Value) {
    assert_eq!(result["status"], "pass");
    assert_eq!(result["cause"], Value::Null);
    assert!(result["metrics"]["boot_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(result["reports"].as_array().unwrap().len(), 0);
}

/// Everything is in the run's directory, and the artifacts are where the document says.
fn assert_directory(bench: &Bench, outcome: &Outcome) {
    let saved = fs::read(bench.run_dir().join("results.json")).unwrap();
    let saved: Value = serde_json::from_slice(&saved).unwrap();
    assert_eq!(saved, outcome.document);
    for id in ["clean", "failing"] {
        let artifacts = outcome.result(id)["artifacts"].as_array().unwrap();
        for name in ["console.log", "scenario.yaml"] {
            let artifact = format!("{id}/{name}");
            assert!(artifacts.contains(&artifact.as_str().into()), "{artifacts:?}");
            assert!(fs::metadata(bench.run_dir().join(artifact)).unwrap().len() > 0);
        }
    }
}

#[test]
fn the_repro_line_comes_to_the_same_verdict() {
    let bench = Bench::with("failing", FAILING);
    let first = bench.run(["--timeout-scale", "5"]);
    first.assert_code(1);
    let repro = text(first.result("failing"), "repro");
    symlink(KHARNESS, bench.path("kharness")).unwrap();
    let path = format!("{}:{}", bench.path("").display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{repro} --json")).env("PATH", path);
    let again = Outcome::of(bench.in_place(&mut shell));
    again.assert_code(1);
    assert_eq!(again.document["run"]["seed"], first.document["run"]["seed"]);
    for key in ["id", "status", "cause", "scenario", "expectations", "repro"] {
        assert_eq!(again.result("failing")[key], first.result("failing")[key], "{key}");
    }
}

#[test]
fn two_runs_at_the_same_time_do_not_disturb_each_other() {
    let bench = Bench::with("clean", CLEAN);
    let run = || {
        let mut command = Command::new(KHARNESS);
        command.args(["run", "scenarios", "--json"]);
        Outcome::of(bench.in_place(&mut command))
    };
    let (one, other) = std::thread::scope(|scope| {
        let one = scope.spawn(run);
        (run(), one.join().unwrap())
    });
    one.assert_code(0);
    other.assert_code(0);
    assert_ne!(one.document["run"]["dir"], other.document["run"]["dir"]);
    for outcome in [one, other] {
        let saved = fs::read(format!("{}/results.json", text(&outcome.document["run"], "dir")));
        let saved: Value = serde_json::from_slice(&saved.unwrap()).unwrap();
        assert_eq!(saved, outcome.document);
    }
}
