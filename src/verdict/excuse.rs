//! Which kernel reports a scenario asked for, or allows. Any other one fails it.

use cel::{Context, Value};
use chrono::NaiveDate;
use klog::{Class, Report};

use crate::run::Seen;
use crate::scenario::model::{Allowance, Expectation, Form, ReportMatch, Scenario, Stopped};

/// A report and its excuse.
pub struct Judged<'a> {
    /// The report.
    pub seen: &'a Seen,
    /// Why it does not fail the scenario.
    pub excuse: Option<Excuse>,
}

/// Why a report does not fail a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Excuse {
    /// The scenario expects it.
    Expected,
    /// An `allow` entry, with its reason.
    Allowed(String),
    /// It tells something and is no problem by itself.
    Harmless,
}

/// Judges every report of a guest.
pub fn judge_all<'a>(
    scenario: &Scenario,
    reports: &'a [Seen],
    today: NaiveDate,
) -> Vec<Judged<'a>> {
    let mut judged: Vec<Judged> =
        reports.iter().map(|seen| Judged { seen, excuse: excuse(scenario, seen, today) }).collect();
    excuse_lost_detectors(&mut judged);
    judged
}

fn excuse(scenario: &Scenario, seen: &Seen, today: NaiveDate) -> Option<Excuse> {
    if seen.report.class == Class::Info {
        return Some(Excuse::Harmless);
    }
    if is_expected(scenario, seen) {
        return Some(Excuse::Expected);
    }
    let allowed = scenario.allow.iter().find(|entry| allows(entry, &seen.report, today));
    allowed.map(|entry| Excuse::Allowed(entry.reason.clone()))
}

/// A report that led to a panic is two things, and both must be asked for: an oops that was not
/// asked for is no better when a panic was. Only an event, such as an OOM, is part of its panic.
fn is_expected(scenario: &Scenario, seen: &Seen) -> bool {
    let own = wanted(scenario, seen, |expectation| asks_for_kind(expectation, seen));
    if !seen.led_to_panic() {
        return own;
    }
    let part_of_panic = seen.report.class == Class::Event || seen.report.kind.is_within(PANIC);
    (own || part_of_panic)
        && wanted(scenario, seen, |expectation| asks_for_panic(expectation, seen))
}

/// Whether an expectation of the scenario, or of the step that was running, satisfies `asks`.
fn wanted(scenario: &Scenario, seen: &Seen, asks: impl Fn(&Expectation) -> bool) -> bool {
    let of_step = scenario
        .steps
        .iter()
        .filter(|step| seen.step.as_ref() == Some(&step.id))
        .flat_map(|step| &step.expect);
    scenario.expect.iter().chain(of_step).any(asks)
}

fn asks_for_kind(expectation: &Expectation, seen: &Seen) -> bool {
    match &expectation.form {
        Form::Report(wanted) => seen.report.kind.is_within(&wanted.kind) && matches(wanted, seen),
        Form::NoReports(strict) => !strict,
        _ => false,
    }
}

fn asks_for_panic(expectation: &Expectation, seen: &Seen) -> bool {
    match &expectation.form {
        Form::Report(wanted) => wanted.kind == PANIC && matches(wanted, seen),
        Form::NoReports(strict) => !strict,
        Form::Stopped(how) => *how == Stopped::Panic,
        _ => false,
    }
}

/// The kind of a panic.
const PANIC: &str = "panic";

/// Whether `seen` is one of the reports that `wanted` means. One that led to a panic is a panic too.
pub fn matches(wanted: &ReportMatch, seen: &Seen) -> bool {
    let report = &seen.report;
    let kind = report.kind.is_within(&wanted.kind) || (wanted.kind == PANIC && seen.led_to_panic());
    kind && wanted.function.as_ref().is_none_or(|pattern| {
        let function = report.function.as_deref().unwrap_or_default();
        pattern.0.find_iter(function).any(|found| found.len() == function.len())
    }) && wanted.condition.as_ref().is_none_or(|condition| {
        let mut context = Context::default();
        context.add_variable("report", report).is_ok()
            && condition.program.execute(&context) == Ok(Value::Bool(true))
    })
}

fn allows(entry: &Allowance, report: &Report, today: NaiveDate) -> bool {
    report.kind.is_within(&entry.report)
        && entry.until.is_none_or(|until| today <= until.0)
        && entry.function.as_ref().is_none_or(|name| report.function.as_ref() == Some(name))
}

/// A detector that switches itself off after a report that was expected has done its work; one
/// that is off for any other reason could have missed something.
fn excuse_lost_detectors(judged: &mut [Judged]) {
    for index in 0..judged.len() {
        let (before, rest) = judged.split_at_mut(index);
        let Some(lost) = rest.first_mut() else { return };
        let kind = lost.seen.report.kind.as_str();
        if lost.excuse.is_none()
            && let Some(detector) = kind.strip_prefix("detector-lost.")
            && before.iter().any(|earlier| {
                earlier.excuse.is_some() && earlier.seen.report.kind.is_within(detector)
            })
        {
            lost.excuse = Some(Excuse::Harmless);
        }
    }
}
