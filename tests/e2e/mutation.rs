//! Each scenario can fail: with its planted bug taken away, it does, and for the right reason.
//!
//! The table is `tests/mutations.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::bench::{Bench, KHARNESS, Outcome, text};
use crate::machine::Machine;
use crate::project::has_kernel;

const KERNEL: &str = "debug";

/// Scenarios that no change of theirs can be planted in here: the nested rig has a test of its own, and
/// the canary is what shows that others can fail.
const EXEMPT: [&str; 2] = ["kvm/nested", "smoke/canary"];

/// One row of the table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    scenario: String,
    /// What `--param` takes.
    #[serde(default)]
    param: Option<String>,
    /// What the scenario's text has once, and what it has instead.
    #[serde(default)]
    edit: BTreeMap<String, String>,
    /// Words of the cause.
    fails: String,
    /// The status, if it is not `fail`.
    #[serde(default)]
    status: Option<String>,
    /// The kernel, if it is not the profile `debug`.
    #[serde(default)]
    kernel: Option<String>,
    /// The board, if it is not a PC.
    #[serde(default)]
    board: Option<String>,
}

impl Row {
    fn kernel(&self) -> &str {
        self.kernel.as_deref().unwrap_or(KERNEL)
    }

    /// The parameter, and before it the module that has it.
    fn parameter(&self) -> Option<(String, String)> {
        let param = self.param.clone()?;
        Some((param.split('.').next()?.to_owned(), param))
    }
}

fn table() -> Vec<Row> {
    serde_saphyr::from_str(&fs::read_to_string(root().join("tests/mutations.yaml")).unwrap())
        .unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn scenario(name: &str) -> PathBuf {
    root().join("scenarios").join(name).with_extension("yaml")
}

/// The ids of all scenarios of the project.
fn scenarios() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for topic in fs::read_dir(root().join("scenarios")).unwrap() {
        let topic = topic.unwrap();
        for entry in fs::read_dir(topic.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let stem = path.file_stem().unwrap().to_str().unwrap();
                found.insert(format!("{}/{stem}", topic.file_name().to_str().unwrap()));
            }
        }
    }
    found
}

#[test]
fn every_scenario_has_a_mutation_and_every_mutation_a_scenario() {
    let mut known: BTreeSet<String> = table().into_iter().map(|row| row.scenario).collect();
    known.extend(EXEMPT.map(str::to_owned));
    let scenarios = scenarios();
    let lacking: Vec<&String> = scenarios.difference(&known).collect();
    assert!(lacking.is_empty(), "tests/mutations.yaml lacks {lacking:?}");
    let gone: Vec<&String> = known.difference(&scenarios).collect();
    assert!(gone.is_empty(), "scenarios/ lacks {gone:?}");
}

#[test]
fn a_scenario_without_its_bug_fails_for_the_right_reason() {
    expect_failures(table().into_iter().filter(|row| row.param.is_some()));
}

#[test]
fn a_scenario_that_does_something_else_fails_for_the_right_reason() {
    expect_failures(table().into_iter().filter(|row| row.param.is_none()));
}

/// Rows that one run of the command can have: the fewer there are, the more tests are copies of one boot.
#[derive(Default)]
struct Batch {
    kernel: String,
    board: Option<String>,
    /// The one parameter that is set of each module.
    params: BTreeMap<String, String>,
    rows: Vec<Row>,
}

impl Batch {
    /// Whether `row` wants the same kernel and board, and of its module no other parameter.
    fn takes(&self, row: &Row) -> bool {
        let agrees = |(module, param): (String, String)| {
            self.params.get(&module).is_none_or(|set| *set == param)
        };
        self.kernel == row.kernel() && self.board == row.board && row.parameter().is_none_or(agrees)
    }

    fn push(&mut self, row: Row) {
        self.params.extend(row.parameter());
        self.rows.push(row);
    }

    fn run(&self) -> Outcome {
        let bench = Bench::new();
        fs::create_dir(bench.path("guest-image")).unwrap();
        symlink(root().join("guest-image/modules"), bench.path("guest-image/modules")).unwrap();
        let mut command = Command::new(KHARNESS);
        command.arg("run").args(self.rows.iter().map(|row| edited(&bench, row)));
        command.args(self.params.values().flat_map(|param| ["--param", param]));
        command.args(self.board.iter().flat_map(|board| ["--board", board]));
        // Emulated guests wait more than they work: two at a time, whatever their number of processors.
        command.args(["--kernel", &self.kernel, "-j2", "--no-canary", "--json", "--run-dir"]);
        Outcome::of(bench.in_place(command.arg(bench.run_dir())))
    }

    /// Whether its kernel, and the emulator of its board, are here.
    fn can_run(&self) -> bool {
        match &self.board {
            Some(board) => Machine::named(board).has(&self.kernel),
            None => has_kernel(&self.kernel),
        }
    }
}

fn expect_failures(rows: impl Iterator<Item = Row>) {
    let mut batches: Vec<Batch> = Vec::new();
    for row in rows {
        match batches.iter_mut().find(|batch| batch.takes(&row)) {
            Some(batch) => batch.push(row),
            None => {
                let (kernel, board) = (row.kernel().to_owned(), row.board.clone());
                batches.push(Batch { kernel, board, ..Batch::default() });
                batches.last_mut().unwrap().push(row);
            }
        }
    }
    let mut wrong = Vec::new();
    for batch in batches.iter().filter(|batch| batch.can_run()) {
        let outcome = batch.run();
        wrong.extend(batch.rows.iter().filter_map(|row| complaint(row, &outcome)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The scenario as `row` changes it, with the files beside it.
fn edited(bench: &Bench, row: &Row) -> PathBuf {
    let original = scenario(&row.scenario);
    let mut text = fs::read_to_string(&original).unwrap();
    for (from, to) in &row.edit {
        let found = text.matches(from).count();
        assert_eq!(found, 1, "{}: {from:?} is there {found} times", row.scenario);
        text = text.replace(from, to);
    }
    let path = bench.scenario(&row.scenario, &text);
    for entry in fs::read_dir(original.parent().unwrap()).unwrap() {
        let beside = entry.unwrap().path();
        if beside.is_file() && beside.extension().is_none_or(|extension| extension != "yaml") {
            fs::copy(&beside, path.with_file_name(beside.file_name().unwrap())).unwrap();
        }
    }
    path
}

fn complaint(row: &Row, outcome: &Outcome) -> Option<String> {
    let result = outcome.result(&row.scenario);
    let (status, cause) = (text(result, "status"), text(result, "cause"));
    let wanted = row.status.as_deref().unwrap_or("fail");
    // A deadline that is missed is an error instead where the host was overloaded.
    let late = wanted == "timeout" && status == "error" && cause.contains("host was overloaded");
    let right = (status == wanted || late) && cause.contains(&row.fails);
    let expected = &row.fails;
    (!right).then(|| format!("{}: {status}: {cause} (expected: {expected})", row.scenario))
}
