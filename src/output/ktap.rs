//! KTAP version 1 (Documentation/dev-tools/ktap.rst of the kernel).
//!
//! A test a line at the top level; below each that ran, its steps, its expectations, and whether
//! the kernel reported anything that nobody asked for.

use std::io::{self, Write};

use super::words::cause;
use crate::results::{Document, Status, StepStatus, TestResult};

/// Writes the document as KTAP. Tests that were to run and did not are missing from the numbered
/// lines, and readers count them as errors.
pub fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let planned = document.results.len() + document.missing().count();
    writeln!(out, "KTAP version 1\n1..{planned}")?;
    for (number, result) in (1..).zip(&document.results) {
        test(number, result, out)?;
    }
    Ok(())
}

fn test(number: usize, result: &TestResult, out: &mut dyn Write) -> io::Result<()> {
    let checks = checks(result);
    if !checks.is_empty() {
        writeln!(out, "    KTAP version 1\n    # Subtest: {}", name(&result.id))?;
        writeln!(out, "    1..{}", checks.len())?;
    }
    for (number, (held, text)) in (1..).zip(checks) {
        writeln!(out, "    {} {number} {}", ok(held), name(&text))?;
    }
    let (held, directive) = directive(result.status);
    let reason = name(cause(result));
    let note = match (directive, reason.is_empty()) {
        ("", true) => String::new(),
        ("", false) => format!("\n# {reason}"),
        (directive, _) => format!(" # {directive} {reason}"),
    };
    writeln!(out, "{} {number} {}{}", ok(held), name(&result.id), note.trim_end())
}

fn ok(held: bool) -> &'static str {
    if held { "ok" } else { "not ok" }
}

fn directive(status: Status) -> (bool, &'static str) {
    match status {
        Status::Pass | Status::Flaky => (true, ""),
        Status::Skip => (true, "SKIP"),
        Status::Xfail => (true, "XFAIL"),
        Status::Timeout => (false, "TIMEOUT"),
        Status::Error => (false, "ERROR"),
        Status::Fail | Status::Crash | Status::Xpass => (false, ""),
    }
}

/// What was looked at in the last attempt. A test that is known to fail shows as that alone:
/// readers would count its parts as failures.
fn checks(result: &TestResult) -> Vec<(bool, String)> {
    if matches!(result.status, Status::Skip | Status::Xfail) || result.attempts.is_empty() {
        return Vec::new();
    }
    let steps = result
        .steps
        .iter()
        .map(|step| (step.status == StepStatus::Done, format!("step {} {}", step.id, step.kind)));
    let expectations = result.expectations.iter().map(|e| (e.held, format!("expect {}", e.text)));
    let unasked = result.reports.iter().filter(|r| !r.expected && r.allowed.is_none());
    let reports: Vec<_> =
        unasked.map(|report| (false, format!("report {}", report.title))).collect();
    steps.chain(expectations).chain(reports).collect()
}

/// A text that has no place for a directive or a line of its own.
fn name(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.collect::<String>().replace('#', ":").trim().to_owned()
}
