//! Ids of steps are unique, and references lead to a program that is running.

use std::collections::HashMap;

use crate::scenario::model::{Action, Step};
use crate::scenario::problem::Problems;
use crate::scenario::suggest::nearest;

/// Checks ids and references of `steps`.
pub fn check_references(steps: &[Step], problems: &mut Problems) {
    let mut seen: HashMap<&str, &Step> = HashMap::new();
    for step in steps {
        check_target(step, &seen, problems);
        if let Some(first) = seen.insert(&step.id, step) {
            problems.add_with_help(
                step.place,
                format!("a second step with the id `{}`", step.id),
                format!("the first is in line {}; ids are unique", first.place.line),
            );
        }
    }
}

/// A step that speaks of another one speaks of an earlier one that has spawned a program.
fn check_target(step: &Step, seen: &HashMap<&str, &Step>, problems: &mut Problems) {
    let (Action::Kill { step: target, .. }
    | Action::Wait { step: target }
    | Action::Sched { step: target, .. }) = &step.action
    else {
        return;
    };
    match seen.get(target.as_str()).map(|target| &target.action) {
        Some(Action::Spawn(_)) => {}
        Some(_) => problems.add(step.place, format!("step `{target}` spawns no program")),
        None => problems.add_with_help(
            step.place,
            format!("there is no earlier step with the id `{target}`"),
            suggestion(target, seen),
        ),
    }
}

fn suggestion(target: &str, seen: &HashMap<&str, &Step>) -> String {
    let spawned = seen.values().filter(|step| matches!(step.action, Action::Spawn(_)));
    match nearest(target, spawned.map(|step| step.id.as_str())) {
        Some(id) => format!("did you mean `{id}`?"),
        None => "give the spawn step an `id`, before this step".to_owned(),
    }
}
