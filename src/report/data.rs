//! What the page shows, cut to a size that a browser opens at once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Serialize;

use super::console::{Segment, segments};
use crate::gate::base_id;
use crate::output::{cut, summary};
use crate::results::{
    Attempt, Document, ExpectationResult, KernelInfo, Measure, RunInfo, Status, StepStatus,
    TestResult,
};

/// Bytes that the consoles of a page may have together.
const ALL_CONSOLES: usize = 2_500_000;
/// Bytes of one console.
const ONE_CONSOLE: usize = 96 << 10;
/// Bytes of the console of a test that was good.
const GOOD_CONSOLE: usize = 1 << 10;
/// Bytes that the outputs of a page's steps may have together.
const ALL_OUTPUTS: usize = 600_000;
/// Bytes of a memory summary.
const SUMMARY: usize = 8 << 10;

/// Everything that the page shows.
#[derive(Serialize)]
pub struct Page<'a> {
    run: Run<'a>,
    summary: String,
    kernels: &'a [KernelInfo],
    missing: Vec<&'a str>,
    tests: Vec<Test<'a>>,
}

/// The run without its long lists.
#[derive(Serialize)]
struct Run<'a> {
    id: &'a str,
    started: &'a str,
    host: &'a str,
    cpus: usize,
    backend: &'a str,
    backend_reason: &'a str,
    seed: u64,
    duration_ms: u64,
    interrupted: bool,
    flaky_fails: bool,
}

#[derive(Serialize)]
struct Test<'a> {
    id: &'a str,
    base: &'a str,
    kernel: &'a str,
    cell: &'a BTreeMap<String, String>,
    status: Status,
    good: bool,
    cause: Option<&'a str>,
    duration_ms: u64,
    attempts: &'a [Attempt],
    steps: Vec<Step<'a>>,
    reports: Vec<Report<'a>>,
    expectations: &'a [ExpectationResult],
    measures: &'a BTreeMap<String, Measure>,
    boot_ms: Option<f64>,
    console: Vec<Segment>,
    memory: Option<String>,
    artifacts: &'a [String],
    repro: &'a str,
}

#[derive(Serialize)]
struct Step<'a> {
    id: &'a str,
    kind: &'a str,
    status: StepStatus,
    start_ms: u64,
    duration_ms: u64,
    exit: Option<i32>,
    message: Option<&'a str>,
    stdout: &'a str,
    stderr: &'a str,
}

#[derive(Serialize)]
struct Report<'a> {
    kind: &'a str,
    title: &'a str,
    fingerprint: &'a str,
    step: Option<&'a str>,
    expected: bool,
    allowed: Option<&'a str>,
    place: Vec<String>,
}

/// How much of everything there is room for.
struct Room {
    console: usize,
    output: usize,
}

/// The page of a document.
pub fn page(document: &Document) -> Page<'_> {
    let bad = document.results.iter().filter(|result| is_odd(result)).count().max(1);
    let good = (document.results.len() - bad.min(document.results.len())) * GOOD_CONSOLE;
    let room = Room {
        console: (ALL_CONSOLES.saturating_sub(good) / bad).min(ONE_CONSOLE),
        output: (ALL_OUTPUTS / document.results.len().max(1)).clamp(64, 16 << 10),
    };
    Page {
        run: run(&document.run),
        summary: summary(&document.results),
        kernels: &document.kernels,
        missing: document.missing().collect(),
        tests: document.results.iter().map(|result| test(document, result, &room)).collect(),
    }
}

/// Whether there is something to look at.
fn is_odd(result: &TestResult) -> bool {
    !matches!(result.status, Status::Pass | Status::Skip) || !result.reports.is_empty()
}

fn run(run: &RunInfo) -> Run<'_> {
    Run {
        id: &run.id,
        started: &run.started,
        host: &run.host.name,
        cpus: run.host.cpus,
        backend: &run.backend,
        backend_reason: &run.backend_reason,
        seed: run.seed,
        duration_ms: run.duration_ms,
        interrupted: run.interrupted,
        flaky_fails: run.flaky_fails,
    }
}

fn test<'a>(document: &'a Document, result: &'a TestResult, room: &Room) -> Test<'a> {
    Test {
        id: &result.id,
        base: base_id(&result.id),
        kernel: &result.kernel,
        cell: &result.cell,
        status: result.status,
        good: document.accepts(result.status),
        cause: result.cause.as_deref(),
        duration_ms: result.duration_ms,
        attempts: &result.attempts,
        steps: result.steps.iter().map(|step| step_of(step, room.output)).collect(),
        reports: result.reports.iter().map(report).collect(),
        expectations: &result.expectations,
        measures: &result.measures,
        boot_ms: result.metrics.get("boot_ms").copied(),
        console: console(document, result, room),
        memory: memory(result),
        artifacts: &result.artifacts,
        repro: &result.repro,
    }
}

fn step_of(step: &crate::results::StepResult, room: usize) -> Step<'_> {
    Step {
        id: &step.id,
        kind: &step.kind,
        status: step.status,
        start_ms: step.start_ms,
        duration_ms: step.duration_ms,
        exit: step.exit,
        message: step.message.as_deref(),
        stdout: cut(&step.stdout, room),
        stderr: cut(&step.stderr, room),
    }
}

fn report(report: &crate::results::ReportResult) -> Report<'_> {
    Report {
        kind: &report.kind,
        title: &report.title,
        fingerprint: &report.fingerprint,
        step: report.step.as_deref(),
        expected: report.expected,
        allowed: report.allowed.as_deref(),
        place: report.place().collect(),
    }
}

/// The console from its file, or the excerpt of the document where the file is not here.
fn console(document: &Document, result: &TestResult, room: &Room) -> Vec<Segment> {
    let most = if is_odd(result) { room.console } else { GOOD_CONSOLE };
    let name = result.artifacts.iter().find(|name| name.ends_with("console.log"));
    let path = name.map(|name| Path::new(&document.run.dir).join(name));
    match path.and_then(|path| fs::read(path).ok()) {
        Some(bytes) => {
            let ranges: Vec<_> = result.reports.iter().map(|r| (r.start, r.end)).collect();
            segments(&bytes, &ranges, most)
        }
        None if result.excerpt.is_empty() => Vec::new(),
        None => vec![Segment::text(cut(&result.excerpt.join("\n"), most))],
    }
}

/// What was found in the memory of a guest that crashed, where somebody looked.
fn memory(result: &TestResult) -> Option<String> {
    let text = result.guest.join("\n");
    (!text.is_empty()).then(|| cut(&text, SUMMARY).to_owned())
}
