//! From results to a report.

use std::io::{self, Write};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::json;

use super::super::words::cut;
use super::model::{Build, Checkout, Environment, Number, Report, Test, Version};
use crate::results::{Document, KernelInfo, Status, TestResult, digest};

/// Longest excerpt of a log, in characters; bytes are never fewer.
const MOST_EXCERPT: usize = 16_384;

/// What may be the name of a CI system: `[a-z0-9_]+`.
///
/// # Errors
/// When it may not.
pub fn origin(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !text.is_empty() && text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is not the name of an origin: use a-z, 0-9 and _"))
    }
}

/// Writes the document as a report of the CI system `origin`.
pub fn write(document: &Document, origin: &str, out: &mut dyn Write) -> io::Result<()> {
    let context = Context { document, origin, started: started(document) };
    let report = Report {
        version: Version { major: 5, minor: 3 },
        checkouts: document.kernels.iter().map(|kernel| context.checkout(kernel)).collect(),
        builds: document.kernels.iter().map(|kernel| context.build(kernel)).collect(),
        tests: context.tests(),
    };
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}

fn started(document: &Document) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(&document.run.started)
        .map_or(DateTime::UNIX_EPOCH, |at| at.to_utc())
}

struct Context<'a> {
    document: &'a Document,
    origin: &'a str,
    started: DateTime<Utc>,
}

impl Context<'_> {
    /// Kernels are told apart by what they are, so that runs of the same kernel meet.
    fn kernel_id(&self, kernel: &KernelInfo) -> String {
        let parts = [&kernel.name, &kernel.release, &kernel.arch, &kernel.image];
        format!("{}:{}", self.origin, digest(parts.map(String::as_str).into_iter()))
    }

    fn checkout(&self, kernel: &KernelInfo) -> Checkout {
        Checkout {
            id: self.kernel_id(kernel),
            origin: self.origin.to_owned(),
            comment: plain(&format!("{} {}", kernel.name, kernel.release)),
            valid: true,
        }
    }

    fn build(&self, kernel: &KernelInfo) -> Build {
        Build {
            id: self.kernel_id(kernel),
            checkout_id: self.kernel_id(kernel),
            origin: self.origin.to_owned(),
            architecture: kernel.arch.clone(),
            comment: plain(&format!("{} {}", kernel.name, kernel.release)),
            status: "PASS",
            misc: json!({ "image": kernel.image }),
        }
    }

    fn tests(&self) -> Vec<Test> {
        self.document.results.iter().flat_map(|result| self.of_result(result)).collect()
    }

    /// The test, and a node below it for each number that it measured.
    fn of_result(&self, result: &TestResult) -> Vec<Test> {
        let of_name = |kernel: &&KernelInfo| kernel.name == result.kernel;
        let kernels = &self.document.kernels;
        let Some(kernel) = kernels.iter().find(of_name).or(kernels.first()) else {
            return Vec::new();
        };
        let whole = self.test(kernel, result);
        let numbers = result.measures.iter().map(|(name, measure)| Test {
            id: format!("{}:{name}", whole.id),
            path: format!("{}.{}", whole.path, path(name)),
            status: "DONE",
            number: Some(Number { value: measure.value, unit: plain(&measure.unit) }),
            comment: None,
            log_excerpt: None,
            misc: json!({ "better": measure.better }),
            ..self.test(kernel, result)
        });
        let numbers: Vec<Test> = numbers.collect();
        [whole].into_iter().chain(numbers).collect()
    }

    fn test(&self, kernel: &KernelInfo, result: &TestResult) -> Test {
        let run = &self.document.run;
        let offset = result.attempts.first().map_or(0, |attempt| attempt.started_ms);
        let offset = TimeDelta::milliseconds(i64::try_from(offset).unwrap_or(0));
        let excerpt = plain(&result.excerpt.join("\n"));
        Test {
            id: plain(&format!("{}:{}:{}:{}", self.origin, run.id, result.kernel, result.id)),
            build_id: self.kernel_id(kernel),
            origin: self.origin.to_owned(),
            path: format!("kharness.{}", path(&result.id)),
            status: status(result.status),
            environment: self.environment(),
            number: None,
            comment: result.cause.as_deref().map(plain),
            log_excerpt: Some(cut(&excerpt, MOST_EXCERPT).to_owned()).filter(|e| !e.is_empty()),
            start_time: (self.started + offset).to_rfc3339_opts(SecondsFormat::Millis, true),
            duration: Duration::from_millis(result.duration_ms).as_secs_f64(),
            misc: json!({
                "kharness_status": result.status,
                "repro": result.repro,
                "reports": result.reports.iter().map(|r| &r.title).collect::<Vec<_>>(),
            }),
        }
    }

    fn environment(&self) -> Environment {
        let run = &self.document.run;
        let comment = plain(&format!("{} on {}", run.backend, run.host.name));
        Environment { comment, misc: json!({ "backend": run.backend, "host": run.host }) }
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Pass | Status::Xfail | Status::Flaky => "PASS",
        Status::Fail | Status::Crash | Status::Timeout | Status::Xpass => "FAIL",
        Status::Skip => "SKIP",
        Status::Error => "MISS",
    }
}

/// A node of the tree of tests: letters, digits, `_` and `-`, with dots between.
fn path(id: &str) -> String {
    let part = |part: &str| -> String {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        part.chars().map(|c| if allowed(c) { c } else { '_' }).collect()
    };
    let parts: Vec<String> = id.split('/').filter(|text| !text.is_empty()).map(part).collect();
    parts.join(".")
}

/// The schema allows no NUL.
fn plain(text: &str) -> String {
    text.replace('\0', "")
}
