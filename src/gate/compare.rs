//! What changed between two sides.

use chrono::NaiveDate;
use serde::Serialize;

use super::known::Known;
pub use super::metric::Margins;
use super::metric::worse;
use super::side::{Seen, Side};
use super::statistics::{Rate, fisher_more};
use crate::results::Status;

/// A failure rate that rose by chance with less than this probability is a regression.
const ALPHA: f64 = 0.05;

/// Something about one test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Test id, repetitions together.
    pub test: String,
    /// `failure`, `crash`, `metric NAME`, or what tells a report apart.
    pub what: String,
    /// In words.
    pub detail: String,
}

/// What changed. Only `regressions` keep a change from landing.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Comparison {
    /// Worse than before, and not known.
    pub regressions: Vec<Finding>,
    /// Failed before, and do not any more.
    pub fixes: Vec<Finding>,
    /// Fail sometimes: how often, with an interval of 95 %.
    pub flaky: Vec<Finding>,
    /// Worse than before, and known.
    pub known: Vec<Finding>,
    /// Were not there before, and are good.
    pub new: Vec<Finding>,
    /// Were there before, and are not run any more.
    pub gone: Vec<Finding>,
    /// Pass although their scenario says that they fail.
    pub xpass: Vec<Finding>,
    /// Could not be tested: nothing can be said of them.
    pub errors: Vec<Finding>,
    /// Entries of known failures whose last day has passed.
    pub expired: Vec<Known>,
    /// Entries of known failures that nothing needs any more.
    pub stale: Vec<Known>,
    /// Whether a run of the current side ended early.
    pub incomplete: bool,
    /// Whether a run of the baseline did: what it had not tested counts as new.
    pub baseline_incomplete: bool,
}

/// How to compare.
pub struct Rules<'a> {
    /// Failures that are known.
    pub known: &'a [Known],
    /// When a number is worse.
    pub margins: Margins,
    /// Whether a test that fails sometimes, and did not before, is a regression.
    pub flaky_fails: bool,
    /// The day on which known failures may have expired.
    pub today: NaiveDate,
}

/// Compares `current` with `base`.
pub fn compare(base: &Side, current: &Side, rules: &Rules) -> Comparison {
    let mut found = Comparison {
        incomplete: current.incomplete,
        baseline_incomplete: base.incomplete,
        ..Comparison::default()
    };
    for (test, now) in &current.tests {
        let before = base.tests.get(test);
        status(test, before, now, rules, &mut found);
        reports(test, before, now, &mut found);
    }
    for worse in worse(base, current, rules.margins) {
        let what = format!("metric {}", worse.name);
        let told = if worse.doubtful { &mut found.errors } else { &mut found.regressions };
        told.push(Finding { test: worse.test, what, detail: worse.detail });
    }
    let gone = base.tests.keys().filter(|test| !current.tests.contains_key(*test));
    found.gone.extend(gone.map(|test| finding(test, "gone", "is not run any more")));
    excuse(&mut found, rules);
    found
}

fn finding(test: &str, what: &str, detail: impl Into<String>) -> Finding {
    Finding { test: test.to_owned(), what: what.to_owned(), detail: detail.into() }
}

/// A crash is looked at by itself: no pass of another attempt excuses it.
fn status(test: &str, before: Option<&Seen>, now: &Seen, rules: &Rules, found: &mut Comparison) {
    let unseen = Seen::default();
    let old = before.unwrap_or(&unseen);
    if now.times(&[Status::Error]) > 0 {
        found.errors.push(finding(test, "error", cause(now)));
    }
    if now.times(&[Status::Xpass]) > 0 && old.times(&[Status::Xpass]) == 0 {
        found.xpass.push(finding(test, "xpass", cause(now)));
    }
    if now.trials() == 0 {
        unjudged(test, before, now, found);
        return;
    }
    let crashes = now.times(&[Status::Crash]);
    if crashes > 0 && old.times(&[Status::Crash]) == 0 {
        found.regressions.push(finding(test, "crash", words("crashed", crashes, now)));
        return;
    }
    match (old.failures(), now.failures()) {
        (0, 0) if before.is_none() => found.new.push(finding(test, "new", "passes")),
        (_, 0) if old.failures() > 0 => {
            found.fixes.push(finding(test, "fix", format!("failed {} before", rate(old))));
        }
        (_, 0) => {}
        (_, failures) => failing(test, old, now, failures, rules, found),
    }
}

/// A test that ran and of which nothing can be said.
fn unjudged(test: &str, before: Option<&Seen>, now: &Seen, found: &mut Comparison) {
    let ran_before = before.is_some_and(|before| before.trials() > 0);
    if ran_before && now.times(&[Status::Skip]) > 0 {
        found.gone.push(finding(test, "skip", format!("is skipped now: {}", cause(now))));
    }
}

/// A test that fails now: always or sometimes, more than before or not.
fn failing(
    test: &str,
    old: &Seen,
    now: &Seen,
    failures: u32,
    rules: &Rules,
    found: &mut Comparison,
) {
    let sometimes = now.passes() > 0 || now.times(&[Status::Flaky]) > 0;
    let p = fisher_more(old.failures(), old.trials(), failures, now.trials());
    let never_before = old.failures() == 0;
    let more_often = if never_before && !sometimes { true } else { p < ALPHA && old.trials() > 0 };
    if sometimes {
        let detail = format!("fails {}: {}", rate(now), cause(now));
        found.flaky.push(finding(test, "flaky", detail));
    }
    let new_flake = sometimes && never_before && rules.flaky_fails;
    if more_often || new_flake {
        found.regressions.push(finding(test, "failure", change(old, now)));
    }
}

fn change(old: &Seen, now: &Seen) -> String {
    let before = match old.trials() {
        0 => "is new and".to_owned(),
        _ if old.failures() == 0 => "passed before and".to_owned(),
        _ => format!("failed {} before and", rate(old)),
    };
    format!("{before} {}", words("fails", now.failures(), now))
}

fn words(verb: &str, times: u32, seen: &Seen) -> String {
    let trials = seen.trials();
    let often = if trials > 1 { format!(" {}", Rate::new(times, trials)) } else { String::new() };
    format!("{verb}{often}: {}", cause(seen))
}

fn rate(seen: &Seen) -> Rate {
    Rate::new(seen.failures(), seen.trials())
}

fn cause(seen: &Seen) -> &str {
    seen.cause.as_deref().unwrap_or("no cause is known")
}

/// Reports that were not there before, in a test that was. Of a new test, the status tells.
fn reports(test: &str, before: Option<&Seen>, now: &Seen, found: &mut Comparison) {
    let Some(before) = before.filter(|before| before.trials() > 0) else { return };
    for (identity, title) in &now.reports {
        if !before.reports.contains_key(identity) {
            let detail = format!("new kernel report: {title}");
            found.regressions.push(finding(test, identity, detail));
        }
    }
}

/// Moves what is known out of the regressions, and tells which entries are of no use.
fn excuse(found: &mut Comparison, rules: &Rules) {
    let covers = |known: &&Known, finding: &Finding| known.covers(&finding.test, &finding.what);
    let in_force = |finding: &Finding| {
        rules.known.iter().any(|known| covers(&known, finding) && !known.expired(rules.today))
    };
    let used = |known: &Known| found.regressions.iter().any(|finding| covers(&known, finding));
    for known in rules.known {
        match (used(known), known.expired(rules.today)) {
            (true, true) => found.expired.push(known.clone()),
            (false, _) => found.stale.push(known.clone()),
            (true, false) => {}
        }
    }
    let (known, regressions) = found.regressions.drain(..).partition(in_force);
    (found.known, found.regressions) = (known, regressions);
}
