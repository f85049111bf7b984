//! Names in CEL: each is in scope, and each step that is spoken of exists.

use std::collections::HashSet;

use crate::scenario::model::{Action, Cel, Expectation, Form, Scenario, Step, WaitFor, Waited};
use crate::scenario::problem::Problems;
use crate::scenario::source::Place;
use crate::scenario::suggest::nearest;

/// The names of `verdict::scope`, which every other expression may use.
const NAMES: [&str; 10] = [
    "boot",
    "console",
    "events",
    "ktap",
    "memory",
    "metrics",
    "reports",
    "snapshots",
    "steps",
    "taint",
];

/// The name that `where` may use instead: the report that is looked at.
const IN_WHERE: [&str; 1] = ["report"];

/// The name that `wait_for: {memory: …}` may use.
const IN_WAIT_FOR: [&str; 1] = ["memory"];

/// Types of CEL, which are names too.
const TYPES: [&str; 10] =
    ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"];

/// Checks the names in all expressions of `scenario`.
pub fn check_names(scenario: &Scenario, problems: &mut Problems) {
    let ids: HashSet<&str> = scenario.steps.iter().map(|step| step.id.as_str()).collect();
    let snapshots: HashSet<&str> = scenario.steps.iter().filter_map(snapshot).collect();
    for step in &scenario.steps {
        check_waited(step, problems);
    }
    let of_steps = scenario.steps.iter().flat_map(|step| &step.expect);
    for expectation in scenario.expect.iter().chain(of_steps) {
        let Some((cel, known)) = cel(expectation) else { continue };
        let mentions = cel.mentions();
        for name in &mentions.names {
            check_name(name, known, expectation.place, problems);
        }
        for id in &mentions.steps {
            check_step(id, &ids, expectation.place, problems);
        }
        for name in &mentions.snapshots {
            check_snapshot(name, &snapshots, expectation.place, problems);
        }
    }
}

/// While the guest runs there is only its memory to look at.
fn check_waited(step: &Step, problems: &mut Problems) {
    let Action::WaitFor(WaitFor { what: Waited::Memory(cel), .. }) = &step.action else { return };
    for name in &cel.mentions().names {
        check_name(name, &IN_WAIT_FOR, Place::default(), problems);
    }
}

/// The name of the snapshot that a step takes.
fn snapshot(step: &Step) -> Option<&str> {
    match &step.action {
        Action::Snapshot(name) => Some(name),
        _ => None,
    }
}

fn check_snapshot(name: &str, known: &HashSet<&str>, place: Place, problems: &mut Problems) {
    if known.contains(name) {
        return;
    }
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("take it in a step: `snapshot: {name}`"),
    };
    let message = format!("the expression speaks of a snapshot `{name}`; no step takes it");
    problems.add_with_help(place, message, help);
}

/// The expression in an expectation, and the names that it may use.
fn cel(expectation: &Expectation) -> Option<(&Cel, &[&str])> {
    match &expectation.form {
        Form::Cel(cel) => Some((cel, &NAMES)),
        Form::Report(report) => report.condition.as_ref().map(|cel| (cel, &IN_WHERE[..])),
        _ => None,
    }
}

fn check_name(name: &str, known: &[&str], place: Place, problems: &mut Problems) {
    if known.iter().chain(&TYPES).any(|known| *known == name) {
        return;
    }
    let all = format!("in scope: {}", known.join(", "));
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? {all}"),
        None => all,
    };
    problems.add_with_help(place, format!("unknown name `{name}` in the expression"), help);
}

fn check_step(id: &str, ids: &HashSet<&str>, place: Place, problems: &mut Problems) {
    if ids.contains(id) {
        return;
    }
    let help = match nearest(id, ids.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "steps without an `id` are s1, s2, … by position".to_owned(),
    };
    problems.add_with_help(
        place,
        format!("the expression speaks of a step `{id}`; there is none"),
        help,
    );
}
