//! Entries of `allow` that are out of date: each is a hole in what a run sees.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::{Status, TestResult};
use crate::plan::Test;
use crate::scenario::model::Allowance;

/// An entry that should be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StaleAllowance {
    /// The kind of report that it names.
    pub report: String,
    /// The function that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Its reason.
    pub reason: String,
    /// Where the report is followed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The shared file that it is in; absent for an entry of a scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Why it should be looked at.
    pub why: Staleness,
}

/// Why an entry should be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Staleness {
    /// Its last day is over: it allows nothing any more.
    Expired,
    /// No test of this run needed it.
    Unused,
}

impl std::fmt::Display for StaleAllowance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = match self.why {
            Staleness::Expired => "has expired: fix it, or give it a new `until`",
            Staleness::Unused => "was not needed: delete it if the report is fixed",
        };
        let of = self.function.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
        let at = self.file.as_ref().map(|file| format!(" in {file}")).unwrap_or_default();
        write!(f, "`allow` of {}{of} ({}){at} {how}", self.report, self.reason)
    }
}

/// The entries of `tests` that are expired, and those that no result needed. An entry of a test that did not run is
/// not judged.
pub fn stale(tests: &[Test], results: &[TestResult], today: NaiveDate) -> Vec<StaleAllowance> {
    let ran = |test: &&Test| {
        let of = |result: &&TestResult| result.id == test.id;
        results
            .iter()
            .find(of)
            .is_some_and(|result| !matches!(result.status, Status::Skip | Status::Error))
    };
    let mut found: Vec<StaleAllowance> = Vec::new();
    for entry in tests.iter().filter(ran).flat_map(|test| &test.loaded.scenario.allow) {
        let expired = entry.until.is_some_and(|until| today > until.0);
        let why = match expired {
            true => Staleness::Expired,
            false if !is_used(entry, results) => Staleness::Unused,
            false => continue,
        };
        let entry = of(entry, why);
        if !found.contains(&entry) {
            found.push(entry);
        }
    }
    found
}

fn is_used(entry: &Allowance, results: &[TestResult]) -> bool {
    let below = |kind: &str| {
        kind.strip_prefix(entry.report.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let mut reports = results.iter().flat_map(|result| &result.reports);
    reports.any(|report| report.allowed.as_ref() == Some(&entry.reason) && below(&report.kind))
}

fn of(entry: &Allowance, why: Staleness) -> StaleAllowance {
    StaleAllowance {
        report: entry.report.clone(),
        function: entry.function.clone(),
        reason: entry.reason.clone(),
        link: entry.link.clone(),
        file: entry.file.clone(),
        why,
    }
}
