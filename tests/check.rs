//! `check`, `explain`, `list` and `schema`, through the command.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const EVERY_KEY: &str = "tests/data/every-key.yaml";

fn kharness(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kharness")).args(words).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn write(dir: &TempDir, name: &str, text: &str) -> String {
    let path = dir.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn check_accepts_every_key() {
    let output = kharness(&["check", EVERY_KEY]);
    assert_eq!(stderr(&output), "");
    assert_eq!(stdout(&output), format!("{EVERY_KEY}: ok, 25 cells\n"));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn check_tells_all_mistakes_of_all_files() {
    let dir = TempDir::new().unwrap();
    let one = write(&dir, "one.yaml", "steps:\n  - sleep: 30\n  - wait: {step: hgo}\n");
    let two = write(&dir, "two.yaml", "stesp: []\n");
    let output = kharness(&["check", &one, "nowhere.yaml", &two]);
    let told = stderr(&output);
    assert!(told.contains(&format!("{one}:2:12: `30` has no unit: write `30s`")), "{told}");
    assert!(told.contains(&format!("{one}:3:18: there is no earlier step")), "{told}");
    assert!(told.contains("nowhere.yaml: cannot read it"), "{told}");
    assert!(told.contains(&format!("{two}:1:1: unknown key `stesp`")), "{told}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn explain_fills_in_ids_defaults_and_units() {
    let dir = TempDir::new().unwrap();
    let file = write(&dir, "a.yaml", "steps:\n  - run: [uname]\nxfail: not yet\n");
    let output = kharness(&["explain", &file, "--json"]);
    let scenario: serde_json::Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(scenario["steps"][0]["id"], "s1");
    assert_eq!(scenario["machine"]["memory"], "512MiB");
    assert_eq!(scenario["timeout"]["total"], "5m");
    assert_eq!(scenario["xfail"]["strict"], true);
}

#[test]
fn what_explain_prints_is_a_scenario_that_means_the_same() {
    let dir = TempDir::new().unwrap();
    let included = ["explain", EVERY_KEY, "--cell", "null_blk.nr_devices=2"];
    let once = kharness(&included);
    let file = write(&dir, "once.yaml", stdout(&once));
    let twice = kharness(&["explain", &file]);
    assert_eq!(stdout(&once), stdout(&twice));
    assert!(stdout(&once).contains("signal: KILL"), "{}", stdout(&once));
}

#[test]
fn list_finds_scenarios_below_a_directory_by_id_name_and_tag() {
    let dir = TempDir::new().unwrap();
    let body = "expect: ['true']\n";
    write(&dir, "scenarios/oom/global.yaml", &format!("name: the hog\ntags: [oom]\n{body}"));
    write(&dir, "scenarios/smoke/boot.yml", body);
    write(&dir, "scenarios/README.md", "no scenario");
    let root = dir.path().join("scenarios");
    let root = root.to_str().unwrap();
    let listed = |words: &[&str]| {
        let output = kharness(&[&["list", root], words].concat());
        (stdout(&output).to_owned(), output.status.code())
    };
    assert_eq!(listed(&[]), ("oom/global  the hog\nsmoke/boot\n".to_owned(), Some(0)));
    assert_eq!(listed(&["-t", "oom"]).0, "oom/global  the hog\n");
    assert_eq!(listed(&["-f", "boot"]).0, "smoke/boot\n");
    assert_eq!(listed(&["-f", "hog"]).0, "oom/global  the hog\n");
    assert_eq!(listed(&["-t", "none"]), (String::new(), Some(4)));
    let json: serde_json::Value = serde_json::from_str(&listed(&["--json"]).0).unwrap();
    assert_eq!(json[0]["id"], "oom/global");
}

#[test]
fn each_cell_of_a_matrix_is_listed_selected_and_explained() {
    let dir = TempDir::new().unwrap();
    let text = "expect: ['true']\nmatrix: {cpus: [1, 2], memory: [256MiB, 1GiB]}\n";
    let file = write(&dir, "scenarios/a.yaml", text);
    let listed = kharness(&["list", &file]);
    assert_eq!(
        stdout(&listed),
        "a[cpus=1,memory=256MiB]\na[cpus=1,memory=1GiB]\na[cpus=2,memory=256MiB]\na[cpus=2,memory=1GiB]\n"
    );
    let one = kharness(&["list", &file, "--json", "--cell", "memory=1GiB,cpus=2"]);
    let one: serde_json::Value = serde_json::from_str(stdout(&one)).unwrap();
    assert_eq!(one.as_array().unwrap().len(), 1);
    assert_eq!(one[0]["cell"], serde_json::json!({"cpus": "2", "memory": "1GiB"}));
    let none = kharness(&["list", &file, "--cell", "cpus=3"]);
    assert_eq!(none.status.code(), Some(4));
    assert!(stderr(&none).contains("in a cell [cpus=3]"), "{}", stderr(&none));
    let explained = kharness(&["explain", &file]);
    assert!(stdout(&explained).contains("# a[cpus=2,memory=1GiB]\n"), "{}", stdout(&explained));
    assert_eq!(stdout(&explained).matches("cpus: 2").count(), 2);
}

#[test]
fn two_scenarios_never_share_an_id() {
    let dir = TempDir::new().unwrap();
    let one = write(&dir, "scenarios/a.yaml", "expect: ['true']\n");
    let two = write(&dir, "scenarios/a.yml", "expect: ['true']\n");
    let output = kharness(&["check", &one, &two]);
    assert!(stderr(&output).contains("has the same id `a` as"), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_file_named_twice_is_one_scenario() {
    let output = kharness(&["check", EVERY_KEY, EVERY_KEY]);
    assert_eq!(stdout(&output).lines().count(), 1);
}

#[test]
fn the_committed_schema_is_the_one_that_the_command_prints() {
    let committed = std::fs::read_to_string("docs/scenario.schema.json").unwrap();
    let printed = kharness(&["schema"]);
    assert!(
        stdout(&printed) == committed,
        "docs/scenario.schema.json is old: kharness schema > docs/scenario.schema.json"
    );
}

#[test]
fn every_scenario_of_the_repository_is_good_and_fits_the_schema() {
    let schema = std::fs::read_to_string("docs/scenario.schema.json").unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let mut files = scenarios_below(Path::new("scenarios"));
    files.push(EVERY_KEY.to_owned());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let depth = Path::new(&file).components().count() - 1;
        let line = format!(
            "# yaml-language-server: $schema={}docs/scenario.schema.json",
            "../".repeat(depth)
        );
        assert_eq!(text.lines().next(), Some(line.as_str()), "first line of {file}");
        let value: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let errors: Vec<_> = validator.iter_errors(&value).map(|it| it.to_string()).collect();
        assert!(errors.is_empty(), "{file}: {errors:?}");
        let checked = kharness(&["check", &file]);
        assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    }
}

/// The blocks of YAML in the reference.
fn examples() -> Vec<String> {
    let text = std::fs::read_to_string("docs/scenario.md").unwrap();
    let blocks = text.split("```yaml\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn every_example_of_the_reference_is_good() {
    let dir = TempDir::new().unwrap();
    let examples = examples();
    assert!(examples.len() > 5);
    for (number, example) in examples.iter().enumerate() {
        let file = write(&dir, &format!("example-{number}.yaml"), example);
        let checked = kharness(&["check", &file]);
        assert_eq!(checked.status.code(), Some(0), "{example}\n{}", stderr(&checked));
    }
}

#[test]
fn the_reference_has_every_key() {
    let text = std::fs::read_to_string("docs/scenario.md").unwrap();
    let schema: serde_json::Value = serde_json::from_slice(&kharness(&["schema"]).stdout).unwrap();
    let nested = schema["$defs"].as_object().unwrap().values();
    let keys = nested.chain([&schema]).filter_map(|part| part["properties"].as_object());
    for key in keys.flat_map(|properties| properties.keys()) {
        let named =
            [format!("`{key}`"), format!("`{{{key}"), format!(", {key}"), format!("{key}:")];
        assert!(named.iter().any(|form| text.contains(form)), "docs/scenario.md lacks `{key}`");
    }
}

fn scenarios_below(root: &Path) -> Vec<String> {
    let files = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
    files
        .filter(|entry| entry.path().extension().is_some_and(|end| end == "yaml"))
        .map(|entry| entry.path().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_schema_refuses_what_check_refuses() {
    let schema: serde_json::Value = serde_json::from_slice(&kharness(&["schema"]).stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for bad in [
        "stesp: []",
        "steps: [{}]",
        "steps: [{sleep: 30}]",
        "steps: [{sleep: 1s, sysrq: c}]",
        "steps: [{write: {path: /x}}]",
        "steps: [{wait_for: {}}]",
        "machine: {memory: 256MB}",
        "expect: [{exit: zero}]",
        "expect: [{}]",
        "expect: [{exit: 0, stopped: reset}]",
        "expect: [{exit: 0, where: report}]",
        "timeout: {boot: soon}",
        "expect: [x]\nmatrix: {cpu: [1]}",
        "expect: [x]\nmatrix: {cpus: 1}",
    ] {
        let value: serde_json::Value = serde_saphyr::from_str(bad).unwrap();
        assert!(!validator.is_valid(&value), "{bad}");
    }
}

#[test]
fn completions_are_there_for_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let output = kharness(&["completions", shell]);
        assert!(stdout(&output).contains("explain"), "{shell}");
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    for words in [&["chekc"][..], &["check", "--frob"], &[], &["list", "-t"]] {
        let output = kharness(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(!output.stderr.is_empty());
    }
}
