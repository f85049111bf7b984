//! Steps: exactly one thing to do each, and an id.

use super::expectation::{expectations, given_cel};
use super::forms::check_forms;
use super::program::{program, sched};
use super::references::Earlier;
use super::scenario::timeout;
use crate::scenario::model::{Action, Signal, Step, WaitFor, Waited};
use crate::scenario::problem::Problems;
use crate::scenario::source::Place;
use crate::scenario::written::{
    Given, KINDS, KillKeys, LoadKeys, Placed, SchedKeys, StepKeys, StringOr, Text, WAITED,
    WaitForKeys, WriteKeys,
};

/// All steps, in order.
pub fn steps(written: Vec<Placed<StepKeys>>, problems: &mut Problems) -> Vec<Step> {
    let mut earlier = Earlier::default();
    let mut steps = Vec::new();
    for (number, Placed { value: mut keys, place }) in (1..).zip(written) {
        let (id, id_place) = match keys.id.0.take() {
            Some(id) => (id.as_str().to_owned(), id.place()),
            None => (format!("s{number}"), place),
        };
        check_id(&id, id_place, problems);
        let step = step(id.clone(), keys, place, &earlier, problems);
        earlier.add(id, id_place, step.as_ref(), problems);
        steps.extend(step);
    }
    steps
}

/// Ids end up in kernel log markers, file names and CEL.
fn check_id(id: &str, place: Place, problems: &mut Problems) {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.is_empty() || id.len() > 64 || !id.chars().all(good) {
        let message = format!("`{id}` is not an id: use up to 64 letters, digits, `-` and `_`");
        problems.add(place, message);
    }
}

fn step(
    id: String,
    mut keys: StepKeys,
    place: Place,
    earlier: &Earlier,
    problems: &mut Problems,
) -> Option<Step> {
    let name = keys.name.0.take();
    let timeout = timeout(&keys.timeout, problems);
    let expect = expectations(keys.expect.0.take().unwrap_or_default(), problems);
    let action = action(keys, place, earlier, problems)?;
    check_forms(&action, &expect, problems);
    Some(Step { id, name, action, timeout, expect })
}

/// The one thing that the step does.
fn action(
    keys: StepKeys,
    place: Place,
    earlier: &Earlier,
    problems: &mut Problems,
) -> Option<Action> {
    let before = problems.count();
    let mut actions = given_actions(keys, place, earlier, problems);
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
                let help = format!("give one of {}", KINDS.join(", "));
                problems.add_with_help(place, "the step does nothing", help);
            }
            None
        }
    }
}

fn given_actions(
    keys: StepKeys,
    place: Place,
    earlier: &Earlier,
    problems: &mut Problems,
) -> Vec<Action> {
    let actions = [
        keys.load.0.map(load),
        keys.unload.0.map(Action::Unload),
        keys.run.0.and_then(|it| program(it, place, problems)).map(Action::Run),
        keys.shell.0.map(Action::Shell),
        keys.write.0.and_then(|it| write(it, place, problems)),
        keys.sysctl.0.is_some().then(|| Action::Sysctl(keys.sysctl.words())),
        keys.sysrq.read(problems).map(Action::Sysrq),
        keys.spawn.0.and_then(|it| program(it, place, problems)).map(Action::Spawn),
        keys.kill.0.map(|it| kill(&it, earlier, problems)),
        keys.wait.0.map(|it| Action::Wait { step: earlier.target(&it.step, problems) }),
        keys.sched.0.and_then(|it| change_sched(&it, place, earlier, problems)),
        keys.wait_for.0.and_then(|it| wait_for(&it, place, problems)).map(Action::WaitFor),
        keys.checkpoint.0.map(Action::Checkpoint),
        keys.release.0.map(Action::Release),
        keys.sleep.read(problems).map(Action::Sleep),
        named(&keys.snapshot, problems).map(Action::Snapshot),
        named(&keys.dump, problems).map(Action::Dump),
    ];
    actions.into_iter().flatten().collect()
}

/// The name of a snapshot or a dump, which is a file's name, too.
fn named(written: &Given<Text<String>>, problems: &mut Problems) -> Option<String> {
    let name = written.0.as_ref()?;
    check_id(name.as_str(), name.place(), problems);
    Some(name.as_str().to_owned())
}

fn load(written: StringOr<LoadKeys>) -> Action {
    match written {
        StringOr::Short(module) => Action::Load { module, params: Default::default() },
        StringOr::Full(keys) => Action::Load { module: keys.module, params: keys.params.words() },
    }
}

fn write(keys: WriteKeys, place: Place, problems: &mut Problems) -> Option<Action> {
    if !keys.path.starts_with('/') {
        problems.add(place, format!("`{}` is not an absolute path", keys.path));
        return None;
    }
    Some(Action::Write { path: keys.path, value: keys.value.0 })
}

fn kill(keys: &KillKeys, earlier: &Earlier, problems: &mut Problems) -> Action {
    let step = earlier.target(&keys.step, problems);
    Action::Kill { step, signal: keys.signal.read(problems).unwrap_or(Signal::TERM) }
}

fn change_sched(
    keys: &SchedKeys,
    place: Place,
    earlier: &Earlier,
    problems: &mut Problems,
) -> Option<Action> {
    let Some(step) = &keys.step.0 else {
        let help = "it is the id of the spawn step whose program is meant";
        problems.add_with_help(place, "`sched` needs `step`", help);
        return None;
    };
    let step = earlier.target(step, problems);
    Some(Action::Sched { step, sched: sched(keys, place, problems) })
}

fn wait_for(keys: &WaitForKeys, place: Place, problems: &mut Problems) -> Option<WaitFor> {
    let given = [
        keys.console.0.is_some(),
        keys.report.0.is_some(),
        keys.event.0.is_some(),
        keys.memory.0.is_some(),
    ];
    if given.into_iter().filter(|given| *given).count() != 1 {
        let message = format!("`wait_for` needs exactly one of {}", WAITED.join(", "));
        problems.add(place, message);
        return None;
    }
    let waited = [
        keys.console.read(problems).map(Waited::Console),
        keys.report.read(problems).map(|kind| Waited::Report(kind.0)),
        keys.event.read(problems).map(|kind| Waited::Event(kind.0)),
        given_cel(&keys.memory, problems).map(Waited::Memory),
    ];
    let timeout = timeout(&keys.timeout, problems);
    let what = waited.into_iter().flatten().next()?;
    Some(WaitFor { what, timeout })
}
