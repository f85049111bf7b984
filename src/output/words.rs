//! Results in words.

use std::collections::BTreeMap;

use crate::results::{Status, TestResult};

/// The sum of `results`: `3 tests run: 2 passed, 1 failed`.
pub fn summary(results: &[TestResult]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for result in results {
        *counts.entry(word(result.status)).or_default() += 1;
    }
    let parts: Vec<String> = ORDER
        .iter()
        .filter_map(|status| {
            let word = word(*status);
            counts.get(word).map(|count| format!("{count} {word}"))
        })
        .collect();
    format!("{} run: {}", count(results.len(), "test"), parts.join(", "))
}

const ORDER: [Status; 9] = [
    Status::Pass,
    Status::Fail,
    Status::Crash,
    Status::Timeout,
    Status::Error,
    Status::Flaky,
    Status::Xfail,
    Status::Xpass,
    Status::Skip,
];

/// A status as a participle.
pub fn word(status: Status) -> &'static str {
    match status {
        Status::Pass => "passed",
        Status::Fail => "failed",
        Status::Crash => "crashed",
        Status::Timeout => "timed out",
        Status::Skip => "skipped",
        Status::Xfail => "xfailed",
        Status::Xpass => "xpassed",
        Status::Flaky => "flaky",
        Status::Error => "errors",
    }
}

/// `1 test`, `2 tests`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// What is wrong with a result, in one line; empty where nothing is known.
pub fn cause(result: &TestResult) -> &str {
    result.cause.as_deref().unwrap_or_default()
}

/// The start of `text` that fits into `most` bytes, cut between characters.
pub fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(cut("aß", 2), "a");
        assert_eq!(cut("aß", 3), "aß");
        assert_eq!(cut("", 3), "");
    }
}
