//! Steps: exactly one thing to do each, and an id.

use super::expectation::expectations;
use super::program::{program, sched};
use super::scenario::positive;
use crate::scenario::model::{Action, Signal, Step, WaitFor, Waited};
use crate::scenario::problem::Problems;
use crate::scenario::source::Place;
use crate::scenario::written::{
    KillKeys, LoadKeys, Placed, SchedKeys, StepKeys, StringOr, WaitForKeys, WriteKeys,
};

/// The keys that say what to do, for people who gave none.
const KINDS: &str = "load, unload, run, shell, write, sysctl, sysrq, spawn, kill, wait, sched, \
                     wait_for, sleep";

/// All steps, in order.
pub fn steps(written: Vec<Placed<StepKeys>>, problems: &mut Problems) -> Vec<Step> {
    (1..).zip(written).filter_map(|(number, keys)| step(number, keys, problems)).collect()
}

fn step(number: usize, written: Placed<StepKeys>, problems: &mut Problems) -> Option<Step> {
    let Placed { value: mut keys, place } = written;
    let id = keys.id.take();
    let place = id.as_ref().map_or(place, |id| id.place());
    let id = id.map_or_else(|| format!("s{number}"), |id| id.as_str().to_owned());
    check_id(&id, place, problems);
    let name = keys.name.take();
    let timeout = keys.timeout.take().and_then(|time| positive(&time, problems));
    let expect = expectations(keys.expect.take().unwrap_or_default(), problems);
    let action = action(keys, place, problems)?;
    Some(Step { id, name, action, timeout, expect, place })
}

/// Ids end up in kernel log markers, file names and CEL.
fn check_id(id: &str, place: Place, problems: &mut Problems) {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if id.is_empty() || id.len() > 64 || !id.chars().all(good) {
        problems.add(
            place,
            format!("`{id}` is not an id: use up to 64 letters, digits, `-`, `_` and `.`"),
        );
    }
}

/// The one thing that the step does.
fn action(keys: StepKeys, place: Place, problems: &mut Problems) -> Option<Action> {
    let before = problems.count();
    let mut actions = given_actions(keys, place, problems);
    let action = actions.pop();
    match (&action, actions.is_empty()) {
        (Some(_), true) => action,
        (Some(_), false) => {
            problems.add_with_help(place, "a step does one thing", "make each a step of its own");
            None
        }
        (None, _) => {
            // An action that could not be read has been told of already.
            if problems.count() == before {
                problems.add_with_help(
                    place,
                    "the step does nothing",
                    format!("give one of {KINDS}"),
                );
            }
            None
        }
    }
}

fn given_actions(keys: StepKeys, place: Place, problems: &mut Problems) -> Vec<Action> {
    let actions = [
        keys.load.map(load),
        keys.unload.map(Action::Unload),
        keys.run.and_then(|it| program(it, place, problems)).map(Action::Run),
        keys.shell.map(Action::Shell),
        keys.write.and_then(|it| write(it, place, problems)),
        keys.sysctl.map(Action::Sysctl),
        keys.sysrq.and_then(|key| key.read(problems)).map(Action::Sysrq),
        keys.spawn.and_then(|it| program(it, place, problems)).map(Action::Spawn),
        keys.kill.map(|it| kill(&it, problems)),
        keys.wait.map(|it| Action::Wait { step: it.step.as_str().to_owned() }),
        keys.sched.and_then(|it| change_sched(it, place, problems)),
        keys.wait_for.and_then(|it| wait_for(&it, place, problems)).map(Action::WaitFor),
        keys.sleep.and_then(|time| time.read(problems)).map(Action::Sleep),
    ];
    actions.into_iter().flatten().collect()
}

fn load(written: StringOr<LoadKeys>) -> Action {
    match written {
        StringOr::Short(module) => Action::Load { module, params: Default::default() },
        StringOr::Full(keys) => {
            Action::Load { module: keys.module, params: keys.params.unwrap_or_default() }
        }
    }
}

fn write(keys: WriteKeys, place: Place, problems: &mut Problems) -> Option<Action> {
    if !keys.path.starts_with('/') {
        problems.add(place, format!("`{}` is not an absolute path", keys.path));
        return None;
    }
    Some(Action::Write { path: keys.path, value: keys.value })
}

fn kill(keys: &KillKeys, problems: &mut Problems) -> Action {
    let signal = keys.signal.as_ref().and_then(|signal| signal.read(problems));
    Action::Kill { step: keys.step.as_str().to_owned(), signal: signal.unwrap_or(Signal::TERM) }
}

fn change_sched(mut keys: SchedKeys, place: Place, problems: &mut Problems) -> Option<Action> {
    let Some(step) = keys.step.take() else {
        problems
            .add(place, "`sched` needs `step`: the id of the spawn step whose program it is for");
        return None;
    };
    let sched = sched(&keys, place, problems);
    Some(Action::Sched { step: step.as_str().to_owned(), sched })
}

fn wait_for(keys: &WaitForKeys, place: Place, problems: &mut Problems) -> Option<WaitFor> {
    let timeout = keys.timeout.as_ref().and_then(|time| positive(time, problems));
    let waited = [
        keys.console.as_ref().and_then(|it| it.read(problems)).map(Waited::Console),
        keys.report.as_ref().and_then(|it| it.read(problems)).map(Waited::Report),
        keys.event.as_ref().and_then(|it| it.read(problems)).map(Waited::Event),
    ];
    let given = [&keys.console.is_some(), &keys.report.is_some(), &keys.event.is_some()];
    if given.into_iter().filter(|given| **given).count() != 1 {
        problems.add(place, "`wait_for` needs exactly one of `console`, `report` and `event`");
    }
    let what = waited.into_iter().flatten().next()?;
    Some(WaitFor { what, timeout })
}
