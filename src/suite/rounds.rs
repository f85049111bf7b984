//! Which test comes next: each once, or all of them round after round.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// When to stop beginning tests. With neither, each test has one turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Until {
    /// When a test was not good.
    pub failure: bool,
    /// When that much time has passed.
    pub over: Option<Duration>,
}

impl Until {
    /// Whether there is more than one round.
    pub fn is_endless(self) -> bool {
        self.failure || self.over.is_some()
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.failure, self.over.map(humantime::format_duration)) {
            (false, None) => f.write_str("one"),
            (true, None) => f.write_str("until a test is not good"),
            (false, Some(time)) => write!(f, "for {time}"),
            (true, Some(time)) => write!(f, "for {time}, or until a test is not good"),
        }
    }
}

/// One turn of one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Its place among the results: round by round, in the order of the plan.
    pub place: usize,
    /// The test's index in the plan.
    pub test: usize,
    /// How many turns the test had before.
    pub round: u32,
}

/// Hands out the turns of a run, one by one, to all workers.
pub struct Rounds {
    /// Indices of the tests, in the order in which they begin.
    order: Vec<usize>,
    until: Until,
    next: AtomicUsize,
    failed: AtomicBool,
}

impl Rounds {
    /// Of tests that begin in this `order`, by their indices in the plan.
    pub fn new(order: Vec<usize>, until: Until) -> Self {
        Self { order, until, next: AtomicUsize::new(0), failed: AtomicBool::new(false) }
    }

    /// Whether a test may begin, `elapsed` after the start.
    pub fn may_begin(&self, elapsed: Duration) -> bool {
        let over = self.until.over.is_some_and(|over| elapsed >= over);
        let failed = self.until.failure && self.failed.load(Ordering::Relaxed);
        !over && !failed
    }

    /// The next turn, if there is one.
    pub fn next(&self) -> Option<Turn> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let position = number.checked_rem(self.order.len())?;
        self.turn(number - position + self.order[position])
    }

    /// The turn at a place, if there is one.
    pub fn turn(&self, place: usize) -> Option<Turn> {
        let tests = self.order.len();
        let round = u32::try_from(place.checked_div(tests)?).ok()?;
        let has_turn = round == 0 || self.until.is_endless();
        has_turn.then(|| Turn { place, test: place % tests, round })
    }

    /// Notes that a test was not good.
    pub fn note_failure(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILURE: Until = Until { failure: true, over: None };

    fn turns(order: &[usize], until: Until, most: usize) -> Vec<Turn> {
        let rounds = Rounds::new(order.to_vec(), until);
        std::iter::from_fn(|| rounds.next()).take(most).collect()
    }

    #[test]
    fn each_test_has_one_turn_unless_told_otherwise() {
        let turns = turns(&[1, 0], Until::default(), 9);
        let tests: Vec<usize> = turns.iter().map(|turn| turn.test).collect();
        assert_eq!(tests, [1, 0]);
        assert_eq!(Rounds::new(Vec::new(), FAILURE).next(), None);
    }

    #[test]
    fn each_round_begins_in_the_order_that_was_asked_for_and_results_are_in_that_of_the_plan() {
        let turns = turns(&[1, 0], FAILURE, 5);
        let of: Vec<_> = turns.iter().map(|turn| (turn.test, turn.round, turn.place)).collect();
        assert_eq!(of, [(1, 0, 1), (0, 0, 0), (1, 1, 3), (0, 1, 2), (1, 2, 5)]);
        let rounds = Rounds::new(vec![1, 0], FAILURE);
        assert!(turns.iter().all(|turn| rounds.turn(turn.place) == Some(*turn)));
    }

    #[test]
    fn no_test_begins_after_one_that_failed() {
        let rounds = Rounds::new(vec![0], FAILURE);
        assert!(rounds.may_begin(Duration::MAX));
        rounds.note_failure();
        assert!(!rounds.may_begin(Duration::ZERO));
    }

    #[test]
    fn no_test_begins_when_the_time_is_over() {
        let over = Duration::from_secs(10);
        let rounds = Rounds::new(vec![0], Until { failure: false, over: Some(over) });
        rounds.note_failure();
        assert!(rounds.may_begin(Duration::from_secs(9)));
        assert!(!rounds.may_begin(over));
    }
}
