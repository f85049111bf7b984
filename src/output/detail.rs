//! What went wrong in one test, for a person to read.

use std::fmt::Write;

use anstyle::Style;

use crate::results::{StepStatus, TestResult};

const DIM: Style = Style::new().dimmed();

/// A block of text about `result`: the cause, what did not hold, the console around it, and how
/// to run it again.
pub fn of(result: &TestResult, style: Style) -> String {
    let mut text = String::new();
    let status = result.status.to_string().to_uppercase();
    let cause = result.cause.as_deref().unwrap_or("no cause is known");
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n{style}─── {status} {}{style:#}: {cause}", result.id);
    text.push_str(&result.build_log);
    steps(&mut text, result);
    module_tests(&mut text, result);
    expectations(&mut text, result);
    reports(&mut text, result);
    excerpt(&mut text, result);
    guest(&mut text, result);
    let _ = writeln!(text, "  files:  {}", result.artifacts.join("  "));
    let _ = write!(text, "  repro:  {}", result.repro);
    text
}

fn steps(text: &mut String, result: &TestResult) {
    for step in result.steps.iter().filter(|step| step.status != StepStatus::Done) {
        let message = step.message.as_deref().unwrap_or(match step.status {
            StepStatus::NotRun => "not reached",
            StepStatus::TimedOut => "took too long",
            _ => "did not end",
        });
        let _ = writeln!(text, "  step {} ({}): {message}", step.id, step.kind);
        for line in tail(&step.stderr, 10) {
            let _ = writeln!(text, "    {DIM}stderr │{DIM:#} {line}");
        }
    }
}

/// Tests of modules that are not well, with what they said.
fn module_tests(text: &mut String, result: &TestResult) {
    let bad = ["fail", "error", "timeout", "crash"];
    for test in result.ktap.iter().filter(|test| bad.contains(&test.status.as_str())) {
        let reason = test.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let _ = writeln!(text, "  test {} ({}){reason}", test.name, test.status);
        for line in &test.diagnostics {
            let _ = writeln!(text, "    {DIM}│{DIM:#} {line}");
        }
    }
}

fn expectations(text: &mut String, result: &TestResult) {
    for expectation in result.expectations.iter().filter(|expectation| !expectation.held) {
        let of =
            expectation.step.as_ref().map(|step| format!(" of step {step}")).unwrap_or_default();
        let _ = writeln!(text, "  expected{of}: {}", expectation.text);
        for detail in &expectation.details {
            let _ = writeln!(text, "    {detail}");
        }
        if let Some(because) = &expectation.because {
            let _ = writeln!(text, "    because: {because}");
        }
    }
}

fn reports(text: &mut String, result: &TestResult) {
    for report in result.reports.iter().filter(|r| !r.expected && r.allowed.is_none()) {
        let at = report.step.as_ref().map(|step| format!(" in step {step}")).unwrap_or_default();
        let _ = writeln!(text, "  report {}{at}: {}", report.kind, report.title);
        for line in report.place() {
            let _ = writeln!(text, "    {DIM}│{DIM:#} {line}");
        }
    }
}

fn excerpt(text: &mut String, result: &TestResult) {
    if !result.excerpt.is_empty() {
        let _ = writeln!(text, "  console:");
    }
    for line in &result.excerpt {
        let _ = writeln!(text, "    {DIM}│{DIM:#} {line}");
    }
}

fn guest(text: &mut String, result: &TestResult) {
    if !result.guest.is_empty() {
        let _ = writeln!(text, "  guest, from its memory:");
    }
    for line in &result.guest {
        let _ = writeln!(text, "    {DIM}│{DIM:#} {line}");
    }
}

fn tail(text: &str, lines: usize) -> Vec<&str> {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].to_vec()
}
