//! Hands the guest of a scenario to a person.

use std::time::Duration;

use crate::scenario::model::{Action, GuestFile, Scenario, Step};
use crate::scenario::units::Time;

/// Longer than anybody sits at a shell, and no overflow in sums of it.
const LIFTED: Duration = Duration::from_secs(365 * 24 * 3600);

/// Puts `program`, or a shell, run with the harness's own input and output, in the place of the steps and of all that is expected.
/// The guest still has the programs that the steps run.
pub fn hand_over(scenario: &mut Scenario, program: Option<Vec<String>>) {
    let programs = scenario.steps.iter().filter_map(|step| match &step.action {
        Action::Run(program) | Action::Spawn(program) => program.argv.first().cloned(),
        _ => None,
    });
    let files: Vec<GuestFile> = programs.map(GuestFile::Program).collect();
    scenario.files.extend(files);
    scenario.expect.clear();
    scenario.xfail = None;
    scenario.retries = 0;
    scenario.repeat = 1;
    let limits = &mut scenario.timeout;
    for limit in [&mut limits.step, &mut limits.quiet, &mut limits.total] {
        *limit = Time(LIFTED);
    }
    let action = Action::Interact(program);
    scenario.steps =
        vec![Step { id: "shell".into(), name: None, action, timeout: None, expect: Vec::new() }];
}
