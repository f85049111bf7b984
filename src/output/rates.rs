//! How probable the failures are of tests that ran several times.

use std::collections::BTreeMap;

use crate::gate::base_id;
use crate::gate::statistics::Rate;
use crate::results::{Status, TestResult};

/// The certainty for which seeds are counted.
const CERTAINTY: f64 = 0.95;

/// A line for each test that failed in some of its repetitions: how often, the interval of the probability, and how
/// many seeds it takes to see it. What the host is to blame for is no trial.
pub fn rates(results: &[TestResult]) -> Vec<String> {
    let mut tests: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for result in results {
        let (hits, trials) = tests.entry(base_id(&result.id)).or_default();
        match result.status {
            Status::Skip | Status::Error => continue,
            Status::Pass | Status::Xpass => {}
            _ => *hits += 1,
        }
        *trials += 1;
    }
    let seen = tests.iter().filter(|(_, (hits, trials))| *hits > 0 && *trials > 1);
    seen.map(|(id, (hits, trials))| {
        let rate = Rate::new(*hits, *trials);
        format!("{id} failed {rate}; {} show it with 95 %", seeds(*hits, *trials))
    })
    .collect()
}

/// How many runs it takes until one of them fails, almost certainly.
fn seeds(hits: u32, trials: u32) -> String {
    let passes = 1.0 - f64::from(hits) / f64::from(trials);
    let needed = (1u32..).find(|n| passes.powf(f64::from(*n)) <= 1.0 - CERTAINTY).unwrap_or(1);
    super::words::count(needed as usize, "seed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(id: &str, status: &str) -> TestResult {
        serde_json::from_value(serde_json::json!({
            "id": id, "scenario": "x", "kernel": "k", "cell": {}, "status": status, "duration_ms": 1,
            "attempts": [], "steps": [], "reports": [], "expectations": [], "metrics": {},
            "artifacts": [], "repro": "",
        }))
        .unwrap()
    }

    #[test]
    fn tests_that_failed_sometimes_have_a_rate_and_the_number_of_seeds_that_show_it() {
        let mut results: Vec<TestResult> =
            (2..=9).map(|n| result(&format!("a#{n}"), "pass")).collect();
        results.extend([result("a", "fail"), result("a#10", "crash"), result("a#11", "error")]);
        results.extend([result("b", "pass"), result("b#2", "pass"), result("c", "fail")]);
        assert_eq!(rates(&results), ["a failed 2 of 10 (6 to 51 %); 14 seeds show it with 95 %"]);
    }

    #[test]
    fn what_always_fails_takes_one_seed() {
        assert_eq!(seeds(3, 3), "1 seed");
    }
}
