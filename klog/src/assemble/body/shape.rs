//! Sorts lines by their shape.

use super::starts;
use crate::analyse::frame;

/// What a line looks like to an open report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Shape {
    /// Part of a report.
    Body,
    /// The last line of a report, but for an appendix.
    End,
    /// Anything else.
    Stranger,
}

/// Sorts a message.
pub(in super::super) fn shape(message: &str) -> Shape {
    let text = crate::detect::text::without_subsystem(message.trim_start());
    if is_end(text) {
        return Shape::End;
    }
    let known = text.is_empty()
        || is_bar(text)
        || starts::known(text)
        || is_dump(text)
        || is_slab_row(text)
        || is_counter(text)
        || frame::parse(message).is_some();
    if known || says_more(text) { Shape::Body } else { Shape::Stranger }
}

fn is_end(text: &str) -> bool {
    text.starts_with("---[ end ")
}

fn is_bar(text: &str) -> bool {
    text.len() >= 10 && text.bytes().all(|byte| matches!(byte, b'=' | b'-' | b' '))
}

/// A line of hexadecimal bytes or words, with or without an address or register names.
fn is_dump(text: &str) -> bool {
    let text = text.trim_start_matches('>');
    let mut words = text.split_whitespace();
    let Some(first) = words.next() else { return false };
    let first = first.trim_end_matches(':');
    let is_hex = |word: &str| word.len() >= 2 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let register =
        first.len() <= 3 && first.starts_with(['x', 'r', 'R', 'E', 'g', 's', 't', 'a', 'f']);
    let enough =
        words.filter(|word| is_hex(word.trim_matches([':', '(', ')', '<', '>', '^']))).count() >= 1;
    (is_hex(first) || register || first == "0x") && enough
}

/// A cache, with the kilobytes in use and in all (`mm/slab_common.c:dump_unreclaimable_slab`): any number of
/// these stand in the report of an OOM kill.
fn is_slab_row(text: &str) -> bool {
    let is_size = |word: &str| word.strip_suffix("KB").is_some_and(|n| n.parse::<u64>().is_ok());
    let mut words = text.split_whitespace().rev();
    words.next().is_some_and(is_size) && words.next().is_some_and(is_size)
}

/// A counter of a memory cgroup and its value (`mm/memcontrol.c:memory_stat_format`); newer kernels have more of
/// them.
fn is_counter(text: &str) -> bool {
    let is_name = |name: &str| {
        name.len() > 2 && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    text.split_once(' ').is_some_and(|(name, value)| {
        is_name(name) && !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Phrases inside lines of reports.
fn says_more(text: &str) -> bool {
    const PHRASES: [&str; 16] = [
        " is trying to acquire",
        " is trying to lock",
        " is trying to release",
        " is trying to contend",
        " is freeing memory",
        " is exiting with locks",
        " is leaving the kernel with locks",
        "-W} ",
        "-R} ",
        " just changed the state of lock",
        " suspicious rcu_",
        "rcu_scheduler_active",
        "lock held by ",
        "locks held by ",
        "score ",
        "[<",
    ];
    PHRASES.iter().any(|phrase| text.contains(phrase))
        || (text.contains(" by task ") && text.contains("0x"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_reports_are_told_from_others() {
        for line in [
            " dump_stack_lvl+0x34/0x44",
            "RAX: 0000000000000000 RBX: ffff",
            "Call trace:",
            " ? f+0x1/0x2 [ext4]",
            "x29: ffff800008003d80 x28: 0",
            "mqueue_inode_cache         15KB         15KB",
            "pgscan_proactive 0",
        ] {
            assert_eq!(shape(line), Shape::Body, "{line}");
        }
        for line in
            ["EXT4-fs (sda1): mounted filesystem", "usb 1-1: new device", "audit: type=1400"]
        {
            assert_eq!(shape(line), Shape::Stranger, "{line}");
        }
        assert_eq!(shape("---[ end trace 0000000000000000 ]---"), Shape::End);
    }
}
