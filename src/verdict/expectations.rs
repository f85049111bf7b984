//! Each expectation against what was seen.

use std::slice;
use std::sync::Arc;

use cel::{Context, Value};
use serde_json::json;

use super::memory::Views;
use super::{excuse, explain, scope};
use crate::results::ExpectationResult;
use crate::run::{Halt, Line, Observation, Seen, StepRun, speaks_of_memory};
use crate::scenario::model::{
    Cel, Expectation, Form, Mentions, Pattern, ReportMatch, Scenario, Stopped,
};
use vmm::Stop;

/// All expectations of a scenario and of its steps, in the order of the file.
pub fn check_all(scenario: &Scenario, seen: &Observation) -> Vec<ExpectationResult> {
    let scope = |step| memory_scope(scenario, seen, step);
    let context = scope(None);
    let whole = scenario.expect.iter().map(|expectation| (expectation, None));
    let of_steps = scenario.steps.iter().flat_map(|step| {
        let run = seen.steps.iter().find(|run| run.id == step.id);
        step.expect.iter().map(move |expectation| (expectation, run))
    });
    of_steps
        .chain(whole)
        .map(|(expectation, step)| {
            // A step's expectations see memory as the step left it.
            let own = step.filter(|_| speaks_of_memory(slice::from_ref(expectation)));
            let own = own.map(|step| scope(Some(step.id.as_str())));
            let context = own.as_ref().unwrap_or(&context).as_ref();
            Check { seen, step, context }.result(expectation)
        })
        .collect()
}

/// Everything that was seen, and of memory what the expectations speak of.
fn memory_scope(
    scenario: &Scenario,
    seen: &Observation,
    step: Option<&str>,
) -> Result<Context<'static, 'static>, String> {
    let mut context = scope::context(seen)?;
    let of_steps = scenario.steps.iter().flat_map(|step| &step.expect);
    let mentions: Vec<Mentions> =
        scenario.expect.iter().chain(of_steps).filter_map(cel).map(Cel::mentions).collect();
    if mentions.iter().any(|it| it.memory() || !it.snapshots.is_empty()) {
        let wanted = mentions.into_iter().flat_map(|mentions| mentions.members).collect();
        Arc::new(Views::of(&seen.memory, step)).add_to(&mut context, &wanted)?;
    }
    Ok(context)
}

fn cel(expectation: &Expectation) -> Option<&Cel> {
    match &expectation.form {
        Form::Cel(cel) => Some(cel),
        _ => None,
    }
}

struct Check<'a> {
    seen: &'a Observation,
    step: Option<&'a StepRun>,
    context: Result<&'a Context<'static, 'static>, &'a String>,
}

/// What does not hold, a line each; nothing when all is well.
type Complaints = Vec<String>;

impl Check<'_> {
    fn result(&self, expectation: &Expectation) -> ExpectationResult {
        let details = self.complaints(&expectation.form);
        ExpectationResult {
            text: words(&expectation.form),
            step: self.step.map(|step| step.id.clone()),
            held: details.is_empty(),
            details,
            because: expectation.because.clone(),
        }
    }

    fn complaints(&self, form: &Form) -> Complaints {
        match form {
            Form::Console(pattern) => self.console(pattern),
            Form::NoConsole(pattern) => self.no_console(pattern),
            // Reports that were not asked for fail a scenario by themselves.
            Form::NoReports(_) => Vec::new(),
            Form::Exit(code) => self.ended("exit", |step| step.ended.as_ref()?.code, *code),
            Form::Signal(signal) => {
                self.ended("signal", |step| step.ended.as_ref()?.signal, signal.0)
            }
            Form::Stdout(pattern) => self.stream("stdout", pattern, |step| step.stdout.text()),
            Form::Stderr(pattern) => self.stream("stderr", pattern, |step| step.stderr.text()),
            Form::Taint(wanted) => match scope::taint(self.seen) {
                Some(taint) if taint == *wanted => Vec::new(),
                Some(taint) => vec![format!("taint = {taint}")],
                None => vec!["the guest did not live to tell its taint".to_owned()],
            },
            Form::Stopped(how) => self.stopped(*how),
            Form::Cel(cel) => self.cel(cel),
            Form::Report(wanted) => self.reports(wanted),
        }
    }

    /// The lines that count: those of the step, or all.
    fn lines(&self) -> impl Iterator<Item = &Line> {
        let step = self.step.map(|step| step.id.as_str());
        let of_step = move |line: &&Line| step.is_none() || line.step.as_deref() == step;
        self.seen.console.lines.iter().filter(of_step)
    }

    fn console(&self, pattern: &Pattern) -> Complaints {
        if self.lines().any(|line| pattern.0.is_match(&line.record.text)) {
            return Vec::new();
        }
        vec![format!("none of {} console lines matches", self.lines().count())]
    }

    fn no_console(&self, pattern: &Pattern) -> Complaints {
        let matching = self.lines().filter(|line| pattern.0.is_match(&line.record.text));
        matching.take(3).map(|line| format!("console: {}", line.record.text)).collect()
    }

    fn ended(&self, name: &str, of: impl Fn(&StepRun) -> Option<i32>, wanted: i32) -> Complaints {
        let Some(step) = self.step else {
            return vec![format!("`{name}` speaks of a step's program: state it in a step")];
        };
        match of(step) {
            Some(value) if value == wanted => Vec::new(),
            _ => vec![format!("the step {}", how_it_ended(step))],
        }
    }

    fn stream(
        &self,
        name: &str,
        pattern: &Pattern,
        text: impl Fn(&StepRun) -> String,
    ) -> Complaints {
        let Some(step) = self.step else {
            return vec![format!("`{name}` speaks of a step's program: state it in a step")];
        };
        let text = text(step);
        if pattern.0.is_match(&text) {
            return Vec::new();
        }
        vec![format!("{name} = {}", json!(text.chars().take(400).collect::<String>()))]
    }

    fn stopped(&self, wanted: Stopped) -> Complaints {
        if stopped_so(self.seen, wanted) {
            return Vec::new();
        }
        match &self.seen.halt {
            Some(halt) => vec![halt.to_string()],
            None => vec!["the guest lived until the harness switched it off".to_owned()],
        }
    }

    fn step_id(&self) -> Option<&str> {
        self.step.map(|step| step.id.as_str())
    }

    fn cel(&self, cel: &Cel) -> Complaints {
        let context = match self.context {
            Ok(context) => context,
            Err(error) => return vec![error.clone()],
        };
        if cel.mentions().memory() && !Views::of(&self.seen.memory, self.step_id()).has_now() {
            let missed = self.seen.memory.problems.join("; ");
            return vec![
                format!("the guest's memory was not saved {missed}").trim_end().to_owned(),
            ];
        }
        match cel.program.execute(context) {
            Ok(Value::Bool(true)) => Vec::new(),
            Ok(Value::Bool(false)) => explain::explain(cel.program.expression(), context),
            Ok(other) => vec![format!("is {}, neither true nor false", explain::plain(&other))],
            Err(error) => vec![format!("cannot be evaluated: {error}")],
        }
    }

    fn reports(&self, wanted: &ReportMatch) -> Complaints {
        let step = self.step.map(|step| &step.id);
        let reports = &self.seen.console.reports;
        let of_step = |seen: &&Seen| step.is_none() || seen.step.as_ref() == step;
        let found = reports.iter().filter(of_step).filter(|seen| excuse::matches(wanted, seen));
        let count = found.count() as u64;
        if wanted.count.holds(count) {
            return Vec::new();
        }
        let mut complaints = vec![format!("there are {count} such reports")];
        complaints.extend(reports.iter().take(5).map(|seen| {
            format!("the kernel reported {}: {}", seen.report.kind, seen.report.title)
        }));
        complaints
    }
}

/// Whether the guest stopped by itself as `wanted`.
pub fn stopped_so(seen: &Observation, wanted: Stopped) -> bool {
    match (wanted, &seen.halt) {
        (Stopped::Panic, _) => seen.console.panicked(),
        (Stopped::PowerOff, Some(Halt::Stopped(Stop::PowerOff)))
        | (Stopped::Reset, Some(Halt::Stopped(Stop::Reset)))
        | (Stopped::TripleFault, Some(Halt::Stopped(Stop::TripleFault))) => true,
        _ => false,
    }
}

fn how_it_ended(step: &StepRun) -> String {
    match step.ended.as_ref().map(|ended| (ended.code, ended.signal)) {
        Some((Some(code), _)) => format!("exited with {code}"),
        Some((_, Some(signal))) => format!("was ended by signal {signal}"),
        _ => format!("did not end ({})", json!(step.status).as_str().unwrap_or_default()),
    }
}

/// The expectation as a person wrote it.
fn words(form: &Form) -> String {
    match form {
        Form::Cel(cel) => cel.text.clone(),
        form => match json!(form) {
            serde_json::Value::Object(keys) => {
                let words: Vec<String> =
                    keys.iter().map(|(key, value)| format!("{key}: {}", bare(value))).collect();
                words.join(", ")
            }
            other => other.to_string(),
        },
    }
}

fn bare(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
