//! From attempts to a test's result: retries, known failures, and the line that runs it again.

use std::path::Path;

use super::attempt::{Attempted, FILES};
use crate::memory::Memory;
use crate::plan::Test;
use crate::results::{Status, TestResult};
use crate::scenario::model::Xfail;

/// The result of a test, out of all of its attempts; there is at least one.
pub fn result(
    test: &Test,
    mut attempts: Vec<Attempted>,
    last_dir: &Path,
    run_dir: &Path,
    repro: String,
) -> TestResult {
    let summaries: Vec<_> = attempts.iter().map(|attempted| attempted.attempt.clone()).collect();
    let statuses: Vec<Status> = summaries.iter().map(|attempt| attempt.status).collect();
    let last = attempts.pop();
    let (verdict, steps, measures, build_log) = last.map_or_else(Default::default, |last| {
        (last.verdict, last.steps, last.measures, last.build_log)
    });
    let (status, cause) = decide(&statuses, test.loaded.scenario.xfail.as_ref());
    let cause = cause.or_else(|| summaries.iter().rev().find_map(|attempt| attempt.cause.clone()));
    let verdict =
        verdict.map(|v| (v.reports, v.expectations, v.metrics, v.excerpt, v.guest, v.ktap));
    let (reports, expectations, metrics, excerpt, guest, ktap) = verdict.unwrap_or_default();
    TestResult {
        id: test.id.clone(),
        scenario: test.loaded.path.display().to_string(),
        kernel: test.kernel.source.clone(),
        cell: test.loaded.cell.map(),
        status,
        cause: cause.filter(|_| status != Status::Pass),
        duration_ms: summaries.iter().map(|attempt| attempt.duration_ms).sum(),
        attempts: summaries,
        steps,
        reports,
        expectations,
        ktap,
        metrics,
        measures,
        artifacts: artifacts(last_dir, run_dir),
        repro,
        build_log,
        excerpt,
        guest,
    }
}

/// A test that is not run, and why.
pub fn skipped(test: &Test, reason: String, repro: String) -> TestResult {
    TestResult {
        status: Status::Skip,
        cause: Some(reason),
        ..result(test, Vec::new(), Path::new(""), Path::new(""), repro)
    }
}

/// The status out of those of all attempts. A crash is never excused by a later pass.
fn decide(attempts: &[Status], xfail: Option<&Xfail>) -> (Status, Option<String>) {
    let last = attempts.last().copied().unwrap_or(Status::Error);
    let status = match last {
        Status::Pass if attempts.contains(&Status::Crash) => Status::Crash,
        Status::Pass if attempts.len() > 1 => Status::Flaky,
        other => other,
    };
    match (status, xfail) {
        (Status::Fail | Status::Crash | Status::Timeout, Some(known)) => {
            (Status::Xfail, Some(known.reason.clone()))
        }
        (Status::Pass, Some(known)) if known.strict => {
            (Status::Xpass, Some(format!("passes, but is known to fail: {}", known.reason)))
        }
        (status, _) => (status, None),
    }
}

/// The files of an attempt that are there, relative to the run's directory.
fn artifacts(dir: &Path, run_dir: &Path) -> Vec<String> {
    let files = FILES.iter().map(|name| dir.join(name)).filter(|path| path.exists());
    let files = files.chain(Memory::artifacts(dir));
    files.map(|path| path.strip_prefix(run_dir).unwrap_or(&path).display().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(strict: bool) -> Xfail {
        Xfail { reason: "a reason".into(), strict }
    }

    #[test]
    fn a_pass_after_a_failure_is_flaky_and_after_a_crash_a_crash() {
        assert_eq!(decide(&[Status::Fail, Status::Pass], None).0, Status::Flaky);
        assert_eq!(decide(&[Status::Crash, Status::Pass], None).0, Status::Crash);
        assert_eq!(decide(&[Status::Pass], None).0, Status::Pass);
    }

    #[test]
    fn a_known_failure_is_xfail_and_its_pass_is_an_xpass_only_when_strict() {
        assert_eq!(decide(&[Status::Timeout], Some(&known(false))).0, Status::Xfail);
        assert_eq!(decide(&[Status::Pass], Some(&known(true))).0, Status::Xpass);
        assert_eq!(decide(&[Status::Pass], Some(&known(false))).0, Status::Pass);
    }

    #[test]
    fn a_fault_of_the_host_is_never_a_known_failure() {
        assert_eq!(decide(&[Status::Error], Some(&known(true))).0, Status::Error);
    }
}
