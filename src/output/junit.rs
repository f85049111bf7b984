//! JUnit XML, as Jenkins, GitLab and most others read it.
//!
//! Suites are flat, as nested ones are dropped by common readers: a suite for each directory of
//! scenarios. `failure`: the kernel did not do what the scenario states. `error`: it died, or
//! nothing can be said. Attempts that were tried again are `flakyFailure`, `flakyError`,
//! `rerunFailure` and `rerunError`, as Maven Surefire writes them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use chrono::DateTime;
use quick_junit::{
    NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestRerun, TestSuite,
};

use super::words::cause;
use crate::results::{Attempt, Document, Status, TestResult};

/// Writes the document as JUnit XML.
pub fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let mut report = Report::new("kharness");
    report.set_time(Duration::from_millis(document.run.duration_ms));
    let started = DateTime::parse_from_rfc3339(&document.run.started).ok();
    if let Some(started) = started {
        report.set_timestamp(started);
    }
    for (name, cases) in suites(document) {
        let mut suite = TestSuite::new(name);
        suite.add_properties(properties(document));
        suite.set_time(cases.iter().filter_map(|case| case.time).sum());
        if let Some(started) = started {
            suite.set_timestamp(started);
        }
        suite.add_test_cases(cases);
        report.add_test_suite(suite);
    }
    report.serialize(out).map_err(io::Error::other)
}

/// Test cases by the directory of their scenario.
fn suites(document: &Document) -> BTreeMap<&str, Vec<TestCase>> {
    let mut suites: BTreeMap<&str, Vec<TestCase>> = BTreeMap::new();
    for result in &document.results {
        suites.entry(split(&result.id).0).or_default().push(case(document, result));
    }
    for id in document.missing() {
        suites.entry(split(id).0).or_default().push(missing(id));
    }
    suites
}

/// Suite and name of a test id: what is before and behind the last `/`.
fn split(id: &str) -> (&str, &str) {
    id.rsplit_once('/').unwrap_or(("scenarios", id))
}

fn properties(document: &Document) -> Vec<Property> {
    let run = &document.run;
    let mut properties = vec![
        Property::new("run", run.id.as_str()),
        Property::new("seed", run.seed.to_string()),
        Property::new("backend", run.backend.as_str()),
        Property::new("host", run.host.name.as_str()),
        Property::new("complete", (!run.interrupted).to_string()),
    ];
    properties.extend(
        document
            .kernels
            .iter()
            .map(|kernel| Property::new("kernel", format!("{} ({})", kernel.name, kernel.release))),
    );
    properties
}

fn case(document: &Document, result: &TestResult) -> TestCase {
    let (suite, name) = split(&result.id);
    let mut case = TestCase::new(name, status(result));
    case.set_classname(suite);
    case.set_time(Duration::from_millis(result.duration_ms));
    case.add_properties(case_properties(document, result));
    if !result.excerpt.is_empty() {
        case.set_system_out(result.excerpt.join("\n"));
    }
    case
}

fn case_properties(document: &Document, result: &TestResult) -> Vec<Property> {
    let mut properties = vec![
        Property::new("scenario", result.scenario.as_str()),
        Property::new("kernel", result.kernel.as_str()),
        Property::new("repro", result.repro.as_str()),
    ];
    let cell = result
        .cell
        .iter()
        .map(|(axis, value)| Property::new(format!("cell.{axis}"), value.as_str()));
    properties.extend(cell);
    let file = |name: &String| format!("{}/{name}", document.run.dir);
    properties.extend(result.artifacts.iter().map(|name| Property::new("artifact", file(name))));
    properties.extend(
        result.reports.iter().map(|report| {
            Property::new("report", format!("{} {}", report.fingerprint, report.title))
        }),
    );
    properties.extend(result.measures.iter().map(|(name, measure)| {
        Property::new(format!("measure.{name}"), format!("{} {}", measure.value, measure.unit))
    }));
    properties
}

fn status(result: &TestResult) -> TestCaseStatus {
    let mut status = match result.status {
        Status::Pass | Status::Flaky => TestCaseStatus::success(),
        Status::Skip | Status::Xfail => TestCaseStatus::skipped(),
        other => TestCaseStatus::non_success(kind(other)),
    };
    status.set_type(result.status.to_string()).set_message(cause(result));
    if !matches!(result.status, Status::Pass | Status::Flaky | Status::Skip | Status::Xfail) {
        status.set_description(description(result));
    }
    let earlier = result.attempts.len().saturating_sub(1);
    status.add_reruns(
        result.attempts.iter().take(earlier).filter(|a| !a.status.is_good()).map(rerun),
    );
    status
}

fn kind(status: Status) -> NonSuccessKind {
    match status {
        Status::Crash | Status::Error => NonSuccessKind::Error,
        _ => NonSuccessKind::Failure,
    }
}

fn rerun(attempt: &Attempt) -> TestRerun {
    let mut rerun = TestRerun::new(kind(attempt.status));
    rerun.set_type(attempt.status.to_string());
    rerun.set_time(Duration::from_millis(attempt.duration_ms));
    if let Some(cause) = &attempt.cause {
        rerun.set_message(cause.as_str());
    }
    rerun
}

/// What a person reads first: the cause, the expectations that do not hold, and how to repeat it.
fn description(result: &TestResult) -> String {
    let mut lines = vec![cause(result).to_owned()];
    for expectation in result.expectations.iter().filter(|expectation| !expectation.held) {
        lines.push(format!("expected: {}", expectation.text));
        lines.extend(expectation.details.iter().map(|detail| format!("  {detail}")));
        lines.extend(expectation.because.iter().map(|because| format!("  because: {because}")));
    }
    lines.push(format!("repro: {}", result.repro));
    lines.join("\n")
}

/// A test that was to run and did not.
fn missing(id: &str) -> TestCase {
    let (suite, name) = split(id);
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type("missing").set_message("not run: the run ended before it");
    let mut case = TestCase::new(name, status);
    case.set_classname(suite);
    case
}
