//! In which order tests begin: those that others wait for, then the longest.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::Path;

use crate::gate::base_id;
use crate::history::Store;

/// How long tests took, by their ids without repetitions, in milliseconds.
#[derive(Debug, Default)]
pub struct Durations(HashMap<String, u64>);

impl Durations {
    /// What the history at `path` says. One that is not there, or cannot be read, says nothing: whatever
    /// is wrong with it is told when the run is recorded.
    pub fn of_history(path: Option<&Path>) -> Self {
        let store = path.filter(|path| path.exists()).and_then(|path| Store::open(path).ok());
        Self(store.and_then(|store| store.durations().ok()).unwrap_or_default())
    }

    fn of(&self, id: &str) -> Option<u64> {
        self.0.get(base_id(id)).copied()
    }

    /// The order in which tests are to begin that have these `ids` in the plan. Those for which a guest is booted
    /// that others are copied from (`leads`) are first, the longest of the others next, so that none of them is left
    /// at the end when everybody else is done. One that is not known counts as the usual one. Equal ones stay in the
    /// order of the plan.
    pub fn order(&self, ids: &[&str], leads: impl Fn(usize) -> bool) -> Vec<usize> {
        let usual = self.usual(ids);
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by_cached_key(|&index| {
            (!leads(index), Reverse(self.of(ids[index]).unwrap_or(usual)))
        });
        order
    }

    fn usual(&self, ids: &[&str]) -> u64 {
        let mut known: Vec<u64> = ids.iter().filter_map(|id| self.of(id)).collect();
        known.sort_unstable();
        known.get(known.len() / 2).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn durations(known: &[(&str, u64)]) -> Durations {
        Durations(known.iter().map(|(id, time)| ((*id).to_owned(), *time)).collect())
    }

    #[test]
    fn whoever_boots_for_others_is_first_and_then_the_longest() {
        let known = durations(&[("short", 1), ("long", 9), ("usual", 5), ("boots", 2)]);
        let ids = ["short", "usual", "long#2", "boots", "new"];
        assert_eq!(known.order(&ids, |index| index == 3), [3, 2, 1, 4, 0]);
    }

    #[test]
    fn without_a_history_the_order_is_that_of_the_plan() {
        assert_eq!(Durations::of_history(None).order(&["b", "a", "c"], |_| false), [0, 1, 2]);
    }
}
