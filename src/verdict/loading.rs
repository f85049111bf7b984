//! What the kernel's module loader said (kernel/module/main.c, kernel/params.c).

use crate::run::{Observation, StepRun};

/// Words of the loader that say why it refuses a module.
const REFUSALS: [&str; 7] = [
    "version magic",
    "section size must match",
    "Unknown symbol",
    "disagrees about version of symbol",
    "no symbol version for",
    "invalid for parameter",
    "module verification failed",
];

/// The kinds of steps that load modules.
pub const KINDS: [&str; 2] = ["module", "load"];

/// Why the module of the failed step `step` was not loaded, beyond the error number: the loader's own
/// words, or that it had none, so that the module's own init refused.
pub fn why(seen: &Observation, step: &StepRun) -> Option<String> {
    let refused = step.message.as_ref().is_some_and(|message| message.starts_with("cannot load"));
    if !KINDS.contains(&step.kind) || !refused {
        return None;
    }
    let said = lines(seen, step).find(|line| REFUSALS.iter().any(|words| line.contains(words)));
    Some(match said {
        Some(line) => format!("the kernel says: {line}"),
        None => "the loader had no complaint: the module's own init returned this".to_owned(),
    })
}

/// A parameter that a module was given and does not have. The kernel ignores it and loads the module,
/// which then tests something else than the scenario says.
pub fn unknown_parameter(seen: &Observation) -> Option<String> {
    let loads = seen.steps.iter().filter(|step| KINDS.contains(&step.kind));
    loads
        .flat_map(|step| lines(seen, step))
        .find(|line| line.contains("unknown parameter '") && line.ends_with("ignored"))
        .map(|line| format!("a module was given a parameter that it does not have: {line}"))
}

fn lines<'a>(seen: &'a Observation, step: &'a StepRun) -> impl Iterator<Item = &'a str> {
    let of_step = seen.console.lines.iter().filter(|line| line.step.as_ref() == Some(&step.id));
    of_step.map(|line| line.record.text.as_str())
}
