//! Forms of expectations that speak of a program are where there is a program.

use crate::scenario::model::{Action, Expectation, Form};
use crate::scenario::problem::Problems;

/// What a form says of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// How it ended.
    End,
    /// What it wrote.
    Output,
}

fn says(form: &Form) -> Option<(Says, &'static str)> {
    match form {
        Form::Exit(_) => Some((Says::End, "exit")),
        Form::Signal(_) => Some((Says::End, "signal")),
        Form::Stdout(_) => Some((Says::Output, "stdout")),
        Form::Stderr(_) => Some((Says::Output, "stderr")),
        _ => None,
    }
}

/// Checks the expectations of a step that does `action`.
pub fn check_forms(action: &Action, expectations: &[Expectation], problems: &mut Problems) {
    for expectation in expectations {
        let Some((says, key)) = says(&expectation.form) else { continue };
        let help = match (action, says) {
            (Action::Run(_) | Action::Shell(_), _)
            | (Action::Wait { .. }, Says::End)
            | (Action::Spawn(_), Says::Output) => continue,
            (Action::Spawn(_), Says::End) => "state it in the `wait` step of the program",
            (Action::Wait { .. }, Says::Output) => "state it in the `spawn` step of the program",
            _ => "the step runs no program; whether it succeeded is checked anyway",
        };
        let message = format!("`{key}` means nothing in this step");
        problems.add_with_help(expectation.place, message, help);
    }
}

/// Checks the expectations of a scenario as a whole.
pub fn check_scenario_forms(expectations: &[Expectation], problems: &mut Problems) {
    for expectation in expectations {
        if let Some((_, key)) = says(&expectation.form) {
            let help = format!("state it in the step, or as CEL: `steps.ID.{key} == …`");
            let message = format!("`{key}` speaks of the program of a step");
            problems.add_with_help(expectation.place, message, help);
        }
    }
}
