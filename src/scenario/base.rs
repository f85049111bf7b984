//! Scenarios that go on from a snapshot of another one (`from`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::load::{check, read};
use super::model::{Action, Base, Expectation, Form, GuestFile, Scenario, Step, Timeouts};
use super::problem::{Problem, Problems};
use super::source::Source;
use super::suggest::nearest;

/// Scenarios that each go on from the one before; a longer row is a mistake.
const MOST_BASES: usize = 16;

/// Puts what `scenario` goes on from in front of it: machine, kernel, modules and files, and the steps up to
/// the snapshot. `row` has the files that led here.
///
/// # Errors
/// When there is no such scenario or snapshot, or it is wrong itself, or goes on from this one.
pub(super) fn add_base(
    scenario: &mut Scenario,
    source: &Arc<Source>,
    dir: &Path,
    row: &[PathBuf],
) -> Result<(), Vec<Problem>> {
    let Some(base) = scenario.from.clone() else { return Ok(()) };
    let refuse = |message: String, help: &str| {
        let mut problems = Problems::new(Arc::clone(source));
        problems.add_with_help(base.place, message, help);
        problems.or(())
    };
    let written = dir.join(&base.scenario);
    let Ok(path) = written.canonicalize() else {
        let message = format!("there is no scenario file {}", written.display());
        return refuse(message, "give its path relative to this file");
    };
    if row.contains(&path) || row.len() > MOST_BASES {
        let message = format!("{} goes on from this scenario itself", written.display());
        return refuse(message, "a scenario cannot be its own base");
    }
    let base_source = Arc::new(read(&path).map_err(|problem| vec![*problem])?);
    let mut cells = check(&base_source)?;
    if cells.len() != 1 {
        let message = format!("{} has a matrix", written.display());
        return refuse(message, "the base is one scenario, on one kernel and machine");
    }
    let (_, mut found) = cells.remove(0);
    let base_dir = path.parent().unwrap_or(Path::new("/"));
    add_base(&mut found, &base_source, base_dir, &[row, std::slice::from_ref(&path)].concat())?;
    let Some(end) = found.steps.iter().position(|step| is_snapshot(step, &base.snapshot)) else {
        let names = found.steps.iter().filter_map(snapshot_of);
        let help = match nearest(&base.snapshot, names) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("it needs a step `snapshot: {}`", base.snapshot),
        };
        let message = format!("{} has no snapshot `{}`", written.display(), base.snapshot);
        return refuse(message, &help);
    };
    found.steps.truncate(end);
    put_in_front(scenario, found, &base.snapshot, base_dir);
    scenario.from = Some(Base { scenario: path, ..base });
    Ok(())
}

fn snapshot_of(step: &Step) -> Option<&str> {
    match &step.action {
        Action::Snapshot(name) => Some(name),
        _ => None,
    }
}

fn is_snapshot(step: &Step, name: &str) -> bool {
    snapshot_of(step) == Some(name)
}

fn put_in_front(scenario: &mut Scenario, base: Scenario, snapshot: &str, dir: &Path) {
    scenario.machine = base.machine;
    scenario.kernel = base.kernel.map(|kernel| of_dir(dir, kernel));
    scenario.modules = base.modules;
    for path in scenario.modules.iter_mut().filter_map(|module| module.path.as_mut()) {
        *path = dir.join(&path);
    }
    let files = base.files.into_iter().map(|file| match file {
        GuestFile::File { from, to, mode } => GuestFile::File { from: dir.join(from), to, mode },
        other => other,
    });
    scenario.files.splice(0..0, files);
    let steps: Vec<Step> = base
        .steps
        .into_iter()
        // What they save is looked at in the base's own test.
        .filter(|step| !matches!(step.action, Action::Snapshot(_) | Action::Dump(_)))
        .map(|step| of_base(step, snapshot, &base.timeout))
        .collect();
    scenario.base_steps = steps.len();
    scenario.steps.splice(0..0, steps);
}

/// A kernel that is a path is relative to the file that names it.
fn of_dir(dir: &Path, kernel: String) -> String {
    if kernel.contains('/') { dir.join(kernel).display().to_string() } else { kernel }
}

/// A step as others have it in front of theirs: whether it did what it should is all that they want of it.
fn of_base(step: Step, snapshot: &str, timeouts: &Timeouts) -> Step {
    let called = |id: &str| format!("{snapshot}-{id}");
    let says_how =
        |expected: &Expectation| matches!(expected.form, Form::Exit(_) | Form::Signal(_));
    let action = match step.action {
        Action::Wait { step } => Action::Wait { step: called(&step) },
        Action::Kill { step, signal } => Action::Kill { step: called(&step), signal },
        Action::Sched { step, sched } => Action::Sched { step: called(&step), sched },
        other => other,
    };
    Step {
        id: called(&step.id),
        action,
        timeout: step.timeout.or(Some(timeouts.step)),
        expect: step.expect.into_iter().filter(says_how).collect(),
        ..step
    }
}
