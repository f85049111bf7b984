//! How often a test has to pass before a revision is called good.

/// Probability of calling a bad revision good.
const MISTAKE: f64 = 0.01;

/// Runs of the bad revision from which its failure rate is estimated.
pub const TRIALS: u32 = 5;

/// Passes in a row that a test which failed `failures` times in `trials` runs needs, at most
/// `most`. The rate is estimated by Laplace's rule of succession, (k + 1) / (n + 2): few runs prove
/// no certainty.
pub fn needed(failures: u32, trials: u32, most: u32) -> u32 {
    let rate = f64::from(failures + 1) / f64::from(trials + 2);
    let passes = |n: u32| (1.0 - rate).powf(f64::from(n));
    (1..most).find(|n| passes(*n) <= MISTAKE).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certain_failure_needs_few_repetitions_and_a_rare_one_many() {
        assert_eq!(needed(5, 5, 50), 3);
        assert_eq!(needed(1, 5, 50), 14);
        assert_eq!(needed(1, 30, 50), 50);
    }
}
