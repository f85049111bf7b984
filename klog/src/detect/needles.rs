//! The literal prefilter: a line without any of these words cannot begin a report.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};

/// Words of which every headline and every opening holds at least one.
const WORDS: [&str; 38] = [
    "BUG",
    "WARNING: ",
    "INFO: ",
    "[ cut here ]",
    "====================",
    "Kernel panic",
    "[#",
    "Unable to ",
    "Insufficient stack",
    "PANIC: ",
    "SError",
    "Bad mode in",
    "Unhandled ",
    "Alignment trap",
    "protection fault",
    "kernel stack overflow",
    "panicked at",
    "hard LOCKUP",
    "Hard LOCKUP",
    "kthread starved",
    "timer wakeup didn't",
    "non-responsive CSD",
    "ut of memory",
    "oom-killer",
    "allocation failure",
    "refcount_t: ",
    "list_add",
    "list_del",
    "ODEBUG",
    "ernel memory ",
    "Missing ENDBR",
    "reboot: ",
    "detected ",
    "CFI failure",
    "unreferenced object",
    "suspected memory leak",
    "UBSAN: ",
    "Linux version ",
];

/// Words of rarer lines.
const MORE: [&str; 31] = [
    "FAULT_INJECTION",
    "nobody cared",
    "SeaBIOS (version",
    "iPXE (http",
    "U-Boot ",
    "GRUB loading",
    "OpenSBI v",
    "early console in ",
    "Decompressing Linux",
    "from the idle",
    "kobject: '",
    "waiting for ",
    "ref_tracker: ",
    "VFS: Busy",
    "memory leak",
    "lock debugging",
    "locking correctness",
    "too low",
    "leak detector",
    "Future hung",
    "Stack depot",
    "DMA-API: ",
    "throttling",
    "sched_ext: ",
    "trusty: ",
    "VFS: Close",
    "vmalloc error",
    "slab error",
    "pagealloc: ",
    " overwritten] 0x",
    "Slab corruption",
];

static AUTOMATON: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasickBuilder::new()
        .match_kind(MatchKind::Standard)
        .kind(Some(AhoCorasickKind::DFA))
        .build(WORDS.iter().chain(&MORE))
        .unwrap_or_else(|error| unreachable!("{} short literals: {error}", WORDS.len()))
});

/// Offset of the first needle in `bytes`: finds lines worth a look, many times faster than looking at each.
pub fn first_needle(bytes: &[u8]) -> Option<usize> {
    AUTOMATON.find(bytes).map(|found| found.start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_headline_is_found_where_it_stands() {
        assert_eq!(first_needle(b"[    1.000000] xx BUG: y"), Some(18));
        assert_eq!(first_needle(b"[    1.000000] usb 1-1: new device"), None);
    }
}
