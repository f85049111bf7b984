//! One search for all starts.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Anchored, Input, StartKind};

use super::{locks, machine, memory, sanitizers, stalls};

const TABLES: [&[&str]; 5] =
    [machine::STARTS, sanitizers::STARTS, locks::STARTS, stalls::STARTS, memory::STARTS];

static AUTOMATON: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .start_kind(StartKind::Anchored)
        .build(TABLES.iter().copied().flatten())
        .unwrap_or_else(|error| unreachable!("a few hundred short literals: {error}"))
});

/// Whether a line of a report begins like `text`.
pub(in super::super) fn known(text: &str) -> bool {
    AUTOMATON.find(Input::new(text).anchored(Anchored::Yes)).is_some()
}
