//! The verdict of a module's own tests.

use klog::ktap::{Status, Test};
use serde_json::json;

use crate::results::KtapResult;
use crate::run::{Ktap, Observation};

/// Diagnostic lines of a failed test that its cause quotes.
const QUOTED: usize = 3;

/// Every test in a stream of results, in order.
pub fn results(ktap: &Ktap) -> Vec<KtapResult> {
    ktap.document.leaves().into_iter().map(|(name, test)| result(name, test, &ktap.step)).collect()
}

fn result(name: String, test: &Test, step: &str) -> KtapResult {
    KtapResult {
        name,
        status: json!(test.status).as_str().unwrap_or_default().to_owned(),
        reason: test.reason.clone(),
        diagnostics: test.diagnostics.clone(),
        step: step.to_owned(),
    }
}

/// What the modules' own tests say against a pass; nothing when all are well.
pub fn complaint(seen: &Observation) -> Option<String> {
    let of_streams = seen.ktap.iter().find_map(of_stream);
    of_streams.or_else(|| {
        let silent = seen.suites.iter().find(|name| !has_results(seen, name))?;
        Some(format!("module {silent} printed no test results (KTAP), and it is made of tests"))
    })
}

fn has_results(seen: &Observation, suite: &str) -> bool {
    seen.ktap.iter().flat_map(|ktap| &ktap.document.tests).any(|test| test.name == suite)
}

fn of_stream(ktap: &Ktap) -> Option<String> {
    let leaves = ktap.document.leaves();
    let bad = |wanted: fn(Status) -> bool| leaves.iter().find(move |(_, t)| wanted(t.status));
    if let Some((name, test)) = bad(|status| status.is_bad() && status != Status::Crash) {
        return Some(format!("test {name} is not ok{}", quoted(test)));
    }
    if let Some((name, test)) = bad(|status| status == Status::Crash) {
        let why = test.reason.as_deref().unwrap_or("its end was not printed");
        return Some(format!("the plan of the tests was not kept: {why} ({name} is missing)"));
    }
    if let Some(problem) = ktap.document.problems.first() {
        return Some(format!("the plan of the tests was not kept: {problem}"));
    }
    // A suite may say so although each of its tests is well.
    let suite = ktap.document.tests.iter().find(|test| !test.is_good())?;
    Some(format!("test {} is not ok{}", suite.name, quoted(suite)))
}

fn quoted(test: &Test) -> String {
    let reason = test.reason.iter().map(String::as_str);
    let lines = test.diagnostics.iter().map(|line| line.trim());
    let words: Vec<&str> = reason.chain(lines).take(QUOTED).collect();
    if words.is_empty() { String::new() } else { format!(": {}", words.join("; ")) }
}
