//! One side of a comparison: what a set of runs says of each test.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::results::{Better, Document, Measure, Status, TestResult};

/// What is known of every test on one side.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Side {
    /// Tests by id, repetitions together.
    pub tests: BTreeMap<String, Seen>,
    /// Runs that it is made of.
    pub runs: Vec<String>,
    /// Releases of the kernels.
    pub kernels: Vec<String>,
    /// Whether a run ended early.
    pub incomplete: bool,
}

/// What was seen of one test.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Seen {
    /// How often it came to each status.
    pub counts: BTreeMap<String, u32>,
    /// Kernel reports by what tells them apart, with their titles.
    #[serde(default)]
    pub reports: BTreeMap<String, String>,
    /// Measured numbers.
    #[serde(default)]
    pub measures: BTreeMap<String, Sample>,
    /// Why it was not good, the last time that it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// A measured number, once for each time that the test ran well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Its values.
    pub values: Vec<f64>,
    /// Values of an overloaded host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starved: Vec<f64>,
    /// Its unit.
    #[serde(default)]
    pub unit: String,
    /// Which direction is an improvement.
    pub better: Better,
}

/// The id of a test without the number of its repetition.
pub fn base_id(id: &str) -> &str {
    match id.rsplit_once('#') {
        Some((base, number)) if number.parse::<u32>().is_ok() => base,
        _ => id,
    }
}

impl Side {
    /// What `documents` say.
    pub fn of(documents: &[Document]) -> Self {
        let mut side = Self::default();
        for document in documents {
            side.runs.push(document.run.id.clone());
            side.incomplete |= document.run.interrupted;
            side.kernels.extend(document.kernels.iter().map(|kernel| kernel.release.clone()));
            for result in &document.results {
                side.tests.entry(base_id(&result.id).to_owned()).or_default().add(result);
            }
        }
        side.kernels.sort();
        side.kernels.dedup();
        side
    }
}

impl Seen {
    fn add(&mut self, result: &TestResult) {
        self.count(result.status);
        if result.status != Status::Pass {
            self.cause = result.cause.clone().or(self.cause.take());
        }
        for r in &result.reports {
            self.add_report(&r.kind, &r.title, &r.fingerprint, r.expected, r.corrupted);
        }
        // What failed measured something else.
        if !result.status.is_good() {
            return;
        }
        let starved = result.attempts.last().and_then(|a| a.host).and_then(|host| host.overload());
        for (name, measure) in &result.measures {
            self.add_measure(name, measure, starved.is_some());
        }
    }

    /// Adds a kernel report. Of one that the scenario asks for, kind and title tell it from others:
    /// where the kernel was when it printed it may differ from run to run. A mixed-up one says
    /// nothing.
    pub fn add_report(
        &mut self,
        kind: &str,
        title: &str,
        fingerprint: &str,
        expected: bool,
        corrupted: bool,
    ) {
        let shown = format!("{kind}: {title}");
        let identity = if expected { shown.clone() } else { fingerprint.to_owned() };
        if !corrupted {
            self.reports.insert(identity, shown);
        }
    }

    /// Adds a number that was measured; `starved`: by a host that was overloaded.
    pub fn add_measure(&mut self, name: &str, measure: &Measure, starved: bool) {
        let empty = || Sample {
            values: Vec::new(),
            starved: Vec::new(),
            unit: measure.unit.clone(),
            better: measure.better,
        };
        let sample = self.measures.entry(name.to_owned()).or_insert_with(empty);
        if starved { &mut sample.starved } else { &mut sample.values }.push(measure.value);
    }

    /// Counts one more time that it came to `status`.
    pub fn count(&mut self, status: Status) {
        *self.counts.entry(status.to_string()).or_default() += 1;
    }

    /// How often it came to one of these.
    pub fn times(&self, statuses: &[Status]) -> u32 {
        statuses.iter().filter_map(|status| self.counts.get(&status.to_string())).sum()
    }

    /// How often it failed, whatever the way; a flaky one failed once.
    pub fn failures(&self) -> u32 {
        self.times(&[Status::Fail, Status::Crash, Status::Timeout, Status::Flaky])
    }

    /// How often it did well.
    pub fn passes(&self) -> u32 {
        self.times(&[Status::Pass, Status::Xfail])
    }

    /// How often it said something about the kernel.
    pub fn trials(&self) -> u32 {
        self.passes() + self.failures() + self.times(&[Status::Xpass])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_belong_to_one_test() {
        assert_eq!(base_id("oom/global#12"), "oom/global");
        assert_eq!(base_id("a#b"), "a#b");
    }
}
