//! What became of each test over time.

use std::collections::BTreeMap;

use serde::Serialize;

use super::store::{HistoryError, Store};
use super::tables::Past;
use crate::gate::statistics::{Rate, median};
use crate::results::Status;

/// Results of a test that are shown one by one.
const SHOWN: usize = 30;

/// A test over time.
#[derive(Debug, Clone, Serialize)]
pub struct Trend {
    /// Test id, repetitions together.
    pub test: String,
    /// How often it did well, with an interval of 95 %. What was skipped and what the host got
    /// wrong says nothing and is not counted.
    pub passed: Rate,
    /// The last results, oldest first.
    pub last: Vec<Status>,
    /// Median of all durations, and of the last tenth of them, in milliseconds.
    pub duration_ms: (f64, f64),
    /// Numbers that it measured.
    pub numbers: BTreeMap<String, Number>,
    /// Where it began to fail, if it fails now.
    pub first_bad: Option<FirstBad>,
}

/// A number over time.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Number {
    /// Its unit.
    pub unit: String,
    /// Values, oldest first.
    pub values: Vec<f64>,
}

/// Where a test began to fail.
#[derive(Debug, Clone, Serialize)]
pub struct FirstBad {
    /// Kernel of the first failure after the last pass.
    pub release: String,
    /// Its run.
    pub run: String,
    /// When.
    pub started: String,
    /// Kernel of the last pass before; absent where it never passed.
    pub last_good: Option<String>,
    /// Why it failed.
    pub cause: Option<String>,
}

/// The trends of all tests whose id contains `filter`.
///
/// # Errors
/// When the history cannot be read.
pub fn trends(store: &Store, filter: &str) -> Result<Vec<Trend>, HistoryError> {
    let mut tests: BTreeMap<String, Vec<Past>> = BTreeMap::new();
    for past in store.results()?.into_iter().filter(|past| past.test.contains(filter)) {
        tests.entry(past.test.clone()).or_default().push(past);
    }
    tests.into_iter().map(|(test, past)| trend(store, test, &past)).collect()
}

fn trend(store: &Store, test: String, past: &[Past]) -> Result<Trend, HistoryError> {
    let passes = count(past, passed);
    let rate = Rate::new(passes, passes + count(past, failed));
    let durations: Vec<f64> = past
        .iter()
        .filter(|past| past.status != Status::Skip)
        .map(|past| f64::from(u32::try_from(past.duration_ms).unwrap_or(u32::MAX)))
        .collect();
    let lately = &durations[durations.len() - durations.len().div_ceil(10)..];
    Ok(Trend {
        test,
        passed: rate,
        last: past[past.len().saturating_sub(SHOWN)..].iter().map(|past| past.status).collect(),
        duration_ms: (median(&durations).unwrap_or_default(), median(lately).unwrap_or_default()),
        numbers: numbers(store, past)?,
        first_bad: first_bad(past),
    })
}

fn passed(status: Status) -> bool {
    matches!(status, Status::Pass | Status::Xfail)
}

fn failed(status: Status) -> bool {
    matches!(status, Status::Fail | Status::Crash | Status::Timeout | Status::Flaky | Status::Xpass)
}

fn count(past: &[Past], what: fn(Status) -> bool) -> u32 {
    u32::try_from(past.iter().filter(|past| what(past.status)).count()).unwrap_or(u32::MAX)
}

fn numbers(store: &Store, past: &[Past]) -> Result<BTreeMap<String, Number>, HistoryError> {
    let mut numbers: BTreeMap<String, Number> = BTreeMap::new();
    for past in past {
        for (name, measure) in store.numbers(past)? {
            let number = numbers.entry(name).or_default();
            number.unit = measure.unit;
            number.values.push(measure.value);
        }
    }
    Ok(numbers)
}

/// The first failure after the last pass, where the last result that counts is a failure.
fn first_bad(past: &[Past]) -> Option<FirstBad> {
    let told: Vec<&Past> =
        past.iter().filter(|past| passed(past.status) || failed(past.status)).collect();
    let last_good = told.iter().rposition(|past| passed(past.status));
    let first = told.get(last_good.map_or(0, |at| at + 1))?;
    Some(FirstBad {
        release: first.release.clone(),
        run: first.run.clone(),
        started: first.started.clone(),
        last_good: last_good.map(|at| told[at].release.clone()),
        cause: first.cause.clone(),
    })
}
