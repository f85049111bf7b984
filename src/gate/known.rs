//! Failures that are known: each has a reason, a link to where it is followed up, and a last day.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// Days for which a known failure is excused where nothing else is said.
pub const DEFAULT_DAYS: u64 = 90;

/// A known failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Test id, repetitions together; `*` at its end stands for anything.
    pub test: String,
    /// Only this: `failure`, or what tells a report apart. Absent: any failure but a crash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// Why it is known and not fixed.
    pub reason: String,
    /// Where it is followed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Last day on which it is excused.
    pub until: NaiveDate,
}

impl Known {
    /// Whether it speaks of `what` of `test`, expired or not.
    pub fn covers(&self, test: &str, what: &str) -> bool {
        let same_test = match self.test.strip_suffix('*') {
            Some(start) => test.starts_with(start),
            None => self.test == test,
        };
        // A crash is a known one only where an entry says so in as many words.
        let same_thing = self.what.as_deref().map_or(what != "crash", |known| known == what);
        same_test && same_thing
    }

    /// Whether its last day has passed.
    pub fn expired(&self, today: NaiveDate) -> bool {
        self.until < today
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(test: &str, what: Option<&str>) -> Known {
        let until = NaiveDate::from_ymd_opt(2026, 12, 31).unwrap();
        let what = what.map(str::to_owned);
        Known { test: test.into(), what, reason: "why".into(), link: None, until }
    }

    #[test]
    fn an_entry_excuses_its_test_alone_and_a_star_those_that_begin_so() {
        assert!(known("oom/global", None).covers("oom/global", "failure"));
        assert!(!known("oom/global", None).covers("oom/global2", "failure"));
        assert!(known("oom/*", None).covers("oom/global2", "failure"));
    }

    #[test]
    fn a_crash_is_known_only_where_it_is_named() {
        assert!(!known("oom/global", None).covers("oom/global", "crash"));
        assert!(known("oom/global", Some("crash")).covers("oom/global", "crash"));
    }

    #[test]
    fn the_last_day_still_counts() {
        let day = |day| NaiveDate::from_ymd_opt(2026, 12, day).unwrap();
        assert!(!known("a", None).expired(day(31)));
        let next = NaiveDate::from_ymd_opt(2027, 1, 1).unwrap();
        assert!(known("a", None).expired(next));
    }
}
