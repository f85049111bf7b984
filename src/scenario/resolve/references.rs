//! Ids of steps are unique, and references lead to a program that was spawned.

use crate::scenario::model::{Action, Step};
use crate::scenario::problem::Problems;
use crate::scenario::source::Place;
use crate::scenario::suggest::nearest;
use crate::scenario::written::Text;

/// The steps before the one that is being read.
#[derive(Debug, Default)]
pub struct Earlier {
    steps: Vec<(String, Place, Spawns)>,
}

/// Whether a step spawns a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spawns {
    Yes,
    No,
    /// The step could not be read, which has been told of: its references are not to blame.
    Unknown,
}

impl Earlier {
    /// Takes note of a step.
    pub fn add(&mut self, id: String, place: Place, step: Option<&Step>, problems: &mut Problems) {
        if let Some((_, first, _)) = self.steps.iter().find(|(known, ..)| *known == id) {
            let help = format!("the first is in line {}; ids are unique", first.line);
            problems.add_with_help(place, format!("a second step with the id `{id}`"), help);
        }
        let spawns = match step.map(|step| &step.action) {
            Some(Action::Spawn(_)) => Spawns::Yes,
            Some(_) => Spawns::No,
            None => Spawns::Unknown,
        };
        self.steps.push((id, place, spawns));
    }

    /// The id in `reference`, which has to be that of an earlier step that spawned a program.
    pub fn target(&self, reference: &Text<String>, problems: &mut Problems) -> String {
        let target = reference.as_str();
        match self.steps.iter().find(|(id, ..)| id == target) {
            Some((.., Spawns::Yes | Spawns::Unknown)) => {}
            Some((.., Spawns::No)) => {
                problems.add(reference.place(), format!("step `{target}` spawns no program"));
            }
            None => problems.add_with_help(
                reference.place(),
                format!("there is no earlier step with the id `{target}`"),
                self.suggestion(target),
            ),
        }
        target.to_owned()
    }

    fn suggestion(&self, target: &str) -> String {
        let spawned = self.steps.iter().filter(|(.., spawns)| *spawns == Spawns::Yes);
        match nearest(target, spawned.map(|(id, ..)| id.as_str())) {
            Some(id) => format!("did you mean `{id}`?"),
            None => "give the spawn step an `id`, before this step".to_owned(),
        }
    }
}
