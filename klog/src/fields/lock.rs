//! Lockdep: `kernel/locking/lockdep.c` (`print_lock`, `print_circular_bug`, `print_usage_bug`).

use serde::Serialize;

use super::text::task;
use crate::Task;
use crate::analyse::frame;

/// What lockdep says about the locks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LockReport {
    /// The task that takes, releases or frees.
    pub task: Option<Task>,
    /// The lock that it is about.
    pub lock: Option<LockUse>,
    /// The locks that the task holds.
    pub held: Vec<LockUse>,
    /// The chain of dependencies, outermost first; the number is lockdep's (`-> #1`).
    pub chain: Vec<LockDependency>,
    /// `{SOFTIRQ-ON-W} -> {IN-SOFTIRQ-W}`: the usages that do not go together.
    pub usage: Option<String>,
    /// The table of the unsafe scenario, line by line.
    pub scenario: Vec<String>,
}

/// A lock as one report line shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LockUse {
    /// Its class, with lockdep's subclass mark: `&sb->s_type->i_mutex_key#3`.
    pub class: String,
    /// Usage bits: `+.+.`.
    pub usage: Option<String>,
    /// Wait types, outer and inner: `4:4`.
    pub wait_type: Option<String>,
    /// The function that took it.
    pub at: Option<String>,
}

/// A link of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LockDependency {
    /// Depth in the chain.
    pub depth: u32,
    /// The lock.
    pub lock: LockUse,
}

pub(super) fn read(lines: &[&str]) -> Option<LockReport> {
    let ask = lines.iter().position(|line| ASKS.iter().any(|ask| line.contains(ask)));
    let report = LockReport {
        task: ask
            .and_then(|ask| lines[ask].split_once(" is ").or_else(|| lines[ask].split_once(" [HC")))
            .and_then(|(name, _)| task(name.split(" [HC").next()?, '/')),
        lock: ask.and_then(|ask| lines[ask..].iter().take(3).find_map(|line| lock(line))),
        held: lines
            .iter()
            .filter(|line| line.starts_with('#'))
            .filter_map(|line| lock(line))
            .collect(),
        chain: lines.iter().filter_map(|line| dependency(line)).collect(),
        usage: lines
            .iter()
            .find_map(|line| line.strip_prefix("inconsistent ")?.strip_suffix(" usage."))
            .map(str::to_owned),
        scenario: scenario(lines),
    };
    (report != LockReport::default()).then_some(report)
}

/// What a task does with the lock named behind.
const ASKS: [&str; 6] = [
    " is trying to acquire",
    " is trying to lock",
    " takes:",
    " is trying to release lock",
    " is trying to contend lock",
    " is freeing memory",
];

/// `ffff888012345678 (class#2){+.+.}-{4:4}, at: f+0x1/0x2`, with or without an address or `#0: ` in front.
fn lock(line: &str) -> Option<LockUse> {
    let usage_at = line.find("){");
    let open = line.find('(')?;
    let close = usage_at.or_else(|| line.rfind(')'))?;
    let class = line.get(open + 1..close)?;
    let tail = line.get(close + 1..)?;
    let mut braces = tail
        .split('{')
        .skip(1)
        .filter_map(|part| part.split_once('}'))
        .map(|(inner, _)| inner.to_owned());
    let at = tail
        .split_once("at: ")
        .and_then(|(_, place)| frame::parse(place))
        .map(|frame| frame.function);
    let usage = braces.next();
    (!class.is_empty() && (usage.is_some() || at.is_some())).then(|| LockUse {
        class: class.to_owned(),
        usage,
        wait_type: braces.next(),
        at,
    })
}

/// `-> #1 (class){+.+.}-{4:4}:`
fn dependency(line: &str) -> Option<LockDependency> {
    let rest = line.strip_prefix("-> #")?;
    let (depth, _) = rest.split_once(' ')?;
    Some(LockDependency { depth: depth.parse().ok()?, lock: lock(rest)? })
}

fn scenario(lines: &[&str]) -> Vec<String> {
    let begin = lines
        .iter()
        .position(|line| line.starts_with("Possible ") && line.contains("unsafe locking scenario"));
    let Some(begin) = begin else { return Vec::new() };
    let table =
        lines[begin + 1..].iter().take(40).take_while(|line| !line.contains("*** DEADLOCK"));
    table
        .filter(|line| line.contains("lock") || line.contains("CPU") || line.contains("Interrupt"))
        .map(|line| (*line).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_line_is_taken_apart() {
        let got =
            lock("ffff8880003f4060 (&q->lock#2/1){+.+.}-{4:4}, at: take+0x26/0x90 [m]").unwrap();
        assert_eq!((got.class.as_str(), got.usage.as_deref()), ("&q->lock#2/1", Some("+.+.")));
        assert_eq!((got.wait_type.as_deref(), got.at.as_deref()), (Some("4:4"), Some("take")));
        assert_eq!(
            lock("#0: ffffffff8 (rcu_read_lock){....}-{1:2}, at: f+0x0/0x3").unwrap().class,
            "rcu_read_lock"
        );
        assert_eq!(lock("no lock (here)"), None);
    }
}
