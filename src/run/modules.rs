//! Modules at the end of a run, and tests in them that stand at checkpoints.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::console::Seen;
use super::driver::{Driver, Unanswered};
use super::observation::StepRun;
use crate::results::StepStatus;
use crate::scenario::model::{Action, Scenario};

/// What a test prints when it comes to a checkpoint: `kharness: checkpoint NAME at 0xADDRESS`.
const CHECKPOINT: &str = "kharness: checkpoint ";

/// Steps in which the kernel runs a module's own code in the agent's thread.
const MODULE_STEPS: [&str; 3] = ["module", "load", "unload"];

/// Reports after which the thread that they speak of is gone.
const FATAL: [&str; 2] = ["oops", "bug"];

/// What is written over the flag that a test waits for.
const GO: u64 = 1;

/// The checkpoints that were reached, each with the physical address of its flag.
#[derive(Debug, Default)]
pub struct Checkpoints {
    /// Lines of the console that were looked at.
    looked: usize,
    held: BTreeMap<String, u64>,
}

impl Checkpoints {
    fn note(&mut self, text: &str) {
        let Some(rest) = text.strip_prefix(CHECKPOINT) else { return };
        if let Some((name, address)) = rest.rsplit_once(" at 0x")
            && let Ok(address) = u64::from_str_radix(address.trim_end(), 16)
        {
            self.held.insert(name.to_owned(), address);
        }
    }
}

impl Driver {
    /// Waits until a test stands at the checkpoint `name`.
    pub(super) fn checkpoint(&mut self, name: &str, deadline: Instant) -> Result<(), Unanswered> {
        loop {
            self.look_for_checkpoints();
            if self.checkpoints.held.contains_key(name) {
                return Ok(());
            }
            self.await_more(deadline)?;
        }
    }

    fn look_for_checkpoints(&mut self) {
        let new = &self.session.console.lines[self.checkpoints.looked..];
        for line in new {
            self.checkpoints.note(&line.record.text);
        }
        self.checkpoints.looked = self.session.console.lines.len();
    }

    /// Lets the test at the checkpoint `name` go on.
    pub(super) fn release(&mut self, index: usize, name: &str) {
        self.look_for_checkpoints();
        let released = match self.checkpoints.held.remove(name) {
            Some(address) => self.session.write_memory(address, &GO.to_le_bytes()),
            None => Err(format!(
                "no test stands at the checkpoint {name}: a `checkpoint` step waits for it, and the \
                 module's tests must run with background=1"
            )),
        };
        if let Err(why) = released {
            self.steps[index].status = StepStatus::Failed;
            self.steps[index].message = Some(why);
        }
    }

    /// Unloads the modules that were built for the scenario, the last one first: what their exit does
    /// wrong is part of the test. Tests that still stand at a checkpoint go on first.
    pub(super) fn unload_modules(&mut self, scenario: &Scenario) {
        self.look_for_checkpoints();
        for address in std::mem::take(&mut self.checkpoints.held).into_values() {
            // A guest that cannot be written to fails in other ways.
            let _ = self.session.write_memory(address, &GO.to_le_bytes());
        }
        let limit = self.session.limits().step;
        for name in to_unload(scenario) {
            if self.session.halt().is_some() {
                return;
            }
            self.steps.push(StepRun::new(&format!("unload-{name}"), "unload"));
            let index = self.steps.len() - 1;
            self.step(index, &Action::Unload(name.to_owned()), limit);
            self.tell_of_hanging_exit(index, name, limit);
        }
    }

    /// Whether the kernel died in what the step `index` does: then nobody will answer. True once it
    /// has had the time to say all of it.
    pub(super) fn died_in(&self, index: usize) -> bool {
        let step = &self.steps[index];
        let dead = |seen: &Seen| {
            seen.step.as_ref() == Some(&step.id)
                && FATAL.iter().any(|kind| seen.report.kind.is_within(kind))
        };
        MODULE_STEPS.contains(&step.kind)
            && self.session.since_output() > self.session.limits().grace
            && self.session.console.reports.iter().any(dead)
    }

    fn tell_of_hanging_exit(&mut self, index: usize, name: &str, limit: Duration) {
        let step = &mut self.steps[index];
        if step.status == StepStatus::TimedOut {
            let seconds = limit.as_secs_f32().ceil();
            step.message =
                Some(format!("the exit of module {name} did not return within {seconds}s"));
        }
    }
}

/// The modules to unload: those listed that no step unloads.
fn to_unload(scenario: &Scenario) -> impl Iterator<Item = &str> {
    let by_step = |name: &str| {
        scenario.steps.iter().any(|step| matches!(&step.action, Action::Unload(it) if it == name))
    };
    let listed = scenario.modules.iter().rev();
    listed.filter(move |module| module.unload && !by_step(&module.name)).map(|m| m.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_has_a_name_and_an_address() {
        let mut checkpoints = Checkpoints::default();
        checkpoints.note("kharness: checkpoint before the free at 0x0000000001234ab8");
        checkpoints.note("kharness: checkpoint odd at 0xzz");
        checkpoints.note("kharness: checkpoint passed passed");
        assert_eq!(checkpoints.held, BTreeMap::from([("before the free".into(), 0x0123_4ab8)]));
    }
}
