//! The workers.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::attempt::attempt;
use super::directory::RunDir;
use super::tested;
use crate::output::Terminal;
use crate::plan::{Engine, Test, unmet};
use crate::results::{Status, TestResult};
use crate::run::interrupted;

/// What all tests of a run share.
pub struct Options {
    /// What boots guests.
    pub engine: Engine,
    /// Factor on every limit.
    pub timeout_scale: f64,
    /// Tests at the same time.
    pub jobs: usize,
    /// Directory of the cache.
    pub cache: PathBuf,
    /// Seed of tests that state none.
    pub seed: u64,
    /// Words of the command line that a repro line needs too.
    pub repro: Vec<String>,
}

/// Runs all tests and gives their results in the order of the plan; `keep` is told of each result
/// at once. After an interrupt no test is begun, and those that were running have no result.
pub fn run_all(
    tests: &[Test],
    options: &Options,
    dir: &RunDir,
    terminal: &Terminal,
    keep: &(dyn Fn(&[TestResult]) + Sync),
) -> Vec<TestResult> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, TestResult)>> = Mutex::default();
    let work = || {
        while !interrupted() {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(test) = tests.get(index) else { return };
            terminal.test_started(&test.id);
            let result = run_one(test, options, dir, terminal);
            if interrupted() {
                return;
            }
            terminal.test_finished(&result);
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            let at = results.partition_point(|(before, _)| *before < index);
            results.insert(at, (index, result));
            keep(&results.iter().map(|(_, result)| result.clone()).collect::<Vec<_>>());
        }
    };
    thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, tests.len().max(1)) {
            scope.spawn(work);
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.into_iter().map(|(_, result)| result).collect()
}

fn run_one(test: &Test, options: &Options, dir: &RunDir, terminal: &Terminal) -> TestResult {
    let scenario = &test.loaded.scenario;
    let repro = repro(test, options);
    if let Some(reason) = unmet(scenario, &test.kernel) {
        return tested::skipped(test, reason, repro);
    }
    let mut attempts = Vec::new();
    let mut last_dir = PathBuf::new();
    for number in 1..=1 + scenario.retries as usize {
        let attempted = match dir.attempt(&test.id, number) {
            Ok(path) => {
                last_dir = path;
                attempt(test, options, &last_dir, &|phase| terminal.test_phase(&test.id, phase))
            }
            Err(error) => super::attempt::failed(error.to_string()),
        };
        let status = attempted.attempt.status;
        attempts.push(attempted);
        if !matches!(status, Status::Fail | Status::Timeout) || interrupted() {
            break;
        }
    }
    tested::result(test, attempts, &last_dir, &dir.path, repro)
}

/// The command that runs exactly this test again.
fn repro(test: &Test, options: &Options) -> String {
    let path = test.loaded.path.display().to_string();
    let mut words = vec!["kharness", "run", &path, "--kernel", &test.kernel.source];
    let seed = options.seed.to_string();
    words.extend(["--seed", &seed]);
    words.extend(options.repro.iter().map(String::as_str));
    shlex::try_join(words.iter().copied()).unwrap_or_else(|_| words.join(" "))
}
