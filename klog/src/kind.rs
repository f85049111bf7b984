//! The kinds of reports, and what each means for a run.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

/// What a report is about, as a dotted path from the general to the special: `kasan.slab-use-after-free`.
///
/// The detector decides the first part; the rest follows the kernel's own words, so a kernel with a new KASAN bug
/// type gets a kind of its own without a change here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Kind(Cow<'static, str>);

impl Kind {
    /// A kind known at compile time.
    pub const fn new(path: &'static str) -> Self {
        Self(Cow::Borrowed(path))
    }

    /// `family.words`, the words as the kernel wrote them: lower case, runs of other characters as one hyphen.
    pub fn of_words(family: &str, words: &str) -> Self {
        let mut path = format!("{family}.");
        for word in
            words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
        {
            if !path.ends_with('.') {
                path.push('-');
            }
            path.push_str(&word.to_ascii_lowercase());
        }
        Self(Cow::Owned(path))
    }

    /// The whole path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first part of the path: `kasan` of `kasan.slab-use-after-free`.
    pub fn family(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }

    /// Whether this kind is `path` or lies below it: `rcu.stall.expedited` is within `rcu.stall` and `rcu`.
    pub fn is_within(&self, path: &str) -> bool {
        self.0.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// What a report of this kind means for a run that did not ask for it.
    pub fn class(&self) -> Class {
        match self.family() {
            "detector-lost" => Class::DetectorLost,
            "oom" | "page-allocation-failure" | "slab-allocation-failure" => Class::Event,
            "fault-injection" | "sched" => Class::Info,
            _ => Class::Fault,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a report means for a run that did not ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The kernel is broken: fails a run.
    Fault,
    /// Something that a scenario may ask for, an OOM kill or a failed allocation: fails a run that did not.
    Event,
    /// A detector has switched itself off: what depends on it is inconclusive from here on.
    DetectorLost,
    /// Worth knowing, no problem by itself.
    Info,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_within_its_ancestors_only() {
        let kind = Kind::new("rcu.stall.expedited");
        assert!(
            kind.is_within("rcu")
                && kind.is_within("rcu.stall")
                && kind.is_within("rcu.stall.expedited")
        );
        assert!(!kind.is_within("rcu.st") && !kind.is_within("rcu.stall.tasks"));
    }

    #[test]
    fn words_of_the_kernel_become_a_path() {
        assert_eq!(
            Kind::of_words("kasan", "double-free or invalid-free").as_str(),
            "kasan.double-free-or-invalid-free"
        );
        assert_eq!(
            Kind::of_words("slab", "Redzone overwritten").as_str(),
            "slab.redzone-overwritten"
        );
    }
}
