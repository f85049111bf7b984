//! Walks over the guest's lists, bounded: the guest may be corrupt, hostile, or stopped in the middle of
//! an update.

use std::collections::HashSet;

use serde::Serialize;

use super::{Error, Kernel};
use crate::Address;

/// Entries of one list at most.
const MAX_ENTRIES: usize = 1 << 20;

/// Where a walk could not go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broke {
    /// The address that could not be followed.
    pub at: Address,
    /// Why not.
    pub why: String,
}

/// What a walk found, and where it broke, if it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Walk<T> {
    /// What was found.
    pub items: Vec<T>,
    /// Empty after a complete walk.
    pub broke_at: Vec<Broke>,
}

impl<T> Default for Walk<T> {
    fn default() -> Self {
        Self { items: Vec::new(), broke_at: Vec::new() }
    }
}

impl<T> Walk<T> {
    /// Notes that the walk could not go on at `at`.
    pub fn broke(&mut self, at: u64, why: impl ToString) {
        self.broke_at.push(Broke { at: Address(at), why: why.to_string() });
    }

    /// Takes the item made from `at`, or notes why there is none.
    pub fn take(&mut self, at: u64, item: Result<T, Error>) {
        match item {
            Ok(item) => self.items.push(item),
            Err(error) => self.broke(at, error),
        }
    }

    /// Makes another walk of this one's items, with both walks' breaks.
    pub fn then<U>(self, mut make: impl FnMut(T, &mut Walk<U>)) -> Walk<U> {
        let mut next =
            Walk { items: Vec::with_capacity(self.items.len()), broke_at: self.broke_at };
        for item in self.items {
            make(item, &mut next);
        }
        next
    }
}

impl Kernel {
    /// Whether there may be a list at `head`: what it leads to leads back.
    pub(crate) fn is_list(&self, head: u64) -> bool {
        let next = self.space().u64(head);
        let back = next.and_then(|next| self.space().u64(next.wrapping_add(8)));
        back.is_ok_and(|back| back == head)
    }

    /// The objects on a circular `struct list_head` list: addresses of what holds the links, which are
    /// at `link_offset` in each. `head` itself is not one of them.
    #[must_use]
    pub fn list(&self, head: u64, link_offset: u64) -> Walk<u64> {
        let mut walk = Walk::default();
        let mut seen = HashSet::new();
        let mut at = head;
        loop {
            let next = match self.space().u64(at) {
                Ok(next) => next,
                Err(error) => {
                    walk.broke(at, error);
                    return walk;
                }
            };
            if next == head {
                return walk;
            }
            if let Some(why) = refusal(next, &mut seen) {
                walk.broke(at, why);
                return walk;
            }
            walk.items.push(next.wrapping_sub(link_offset));
            at = next;
        }
    }

    /// The objects on an `hlist` or any other chain that ends with NULL, from the first one's link on.
    #[must_use]
    pub fn chain(&self, first: u64, link_offset: u64) -> Walk<u64> {
        let mut walk = Walk::default();
        let mut seen = HashSet::new();
        let mut at = first;
        while at != 0 {
            if let Some(why) = refusal(at, &mut seen) {
                walk.broke(at, why);
                break;
            }
            match self.space().u64(at) {
                Ok(next) => {
                    walk.items.push(at.wrapping_sub(link_offset));
                    at = next;
                }
                Err(error) => {
                    walk.broke(at, error);
                    break;
                }
            }
        }
        walk
    }
}

/// Why a walk must not go on to `next`.
fn refusal(next: u64, seen: &mut HashSet<u64>) -> Option<String> {
    if next == 0 {
        return Some("the next pointer is NULL".to_owned());
    }
    if !seen.insert(next) {
        return Some(format!("the list runs into itself at {next:#x}"));
    }
    (seen.len() > MAX_ENTRIES).then(|| format!("more than {MAX_ENTRIES} entries"))
}
