//! Hung tasks, lockups, RCU stalls: `kernel/hung_task.c`, `kernel/watchdog.c`, `kernel/rcu/tree_stall.h`.

use serde::Serialize;

use super::text::{number_after, task};
use crate::Task;
use crate::detect::text::between;

/// A task that sleeps for too long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HungTask {
    /// The task.
    pub task: Option<Task>,
    /// For how long it has slept, at least, in seconds.
    pub seconds: Option<u64>,
    /// Who has what it waits for, where the kernel knows (since 6.16).
    pub blocker: Option<Blocker>,
}

/// The holder of a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocker {
    /// `mutex`, `semaphore`, `rw-semaphore`.
    pub lock: String,
    /// Whether it is the owner now, not the last holder.
    pub owns: bool,
    /// The task.
    pub task: Option<Task>,
}

/// A processor that lets nothing else run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lockup {
    /// The processor.
    pub cpu: Option<u64>,
    /// For how long, in seconds.
    pub seconds: Option<u64>,
    /// What it runs.
    pub task: Option<Task>,
}

/// A grace period that does not end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RcuStall {
    /// `rcu_preempt`, `rcu_sched`, `rcu_tasks` and so on.
    pub flavour: String,
    /// Whether the stalled processor found it itself.
    pub self_detected: bool,
    /// The stalled processors.
    pub cpus: Vec<u64>,
    /// The blocked tasks' thread ids.
    pub tasks: Vec<u64>,
    /// The length of the stall, in jiffies.
    pub jiffies: Option<u64>,
    /// The grace period's number.
    pub grace_period: Option<u64>,
}

pub(super) fn hung_task(lines: &[&str]) -> Option<HungTask> {
    let line = lines.iter().find(|line| line.starts_with("INFO: task "))?;
    let rest = line.strip_prefix("INFO: task ")?;
    let name = [" blocked ", " can't die"]
        .iter()
        .find_map(|mark| rest.rsplit_once(mark))
        .map(|(name, _)| name);
    Some(HungTask {
        task: name.and_then(|name| task(name, ':')),
        seconds: number_after(rest, "for more than "),
        blocker: lines.iter().find_map(|line| blocker(line)),
    })
}

/// `INFO: task a:1 is blocked on a mutex likely owned by task b:2.`
fn blocker(line: &str) -> Option<Blocker> {
    let (_, rest) =
        line.split_once(" blocked on a ").or_else(|| line.split_once(" blocked on an "))?;
    let (lock, rest) = rest.split_once([' ', ','])?;
    let owner = rest.split_once(" by task ").and_then(|(_, name)| task(name, ':'));
    Some(Blocker { lock: lock.to_owned(), owns: rest.contains("owned by"), task: owner })
}

/// `BUG: soft lockup - CPU#1 stuck for 22s! [comm:42]`, `Watchdog detected hard LOCKUP on cpu 1`
pub(super) fn lockup(lines: &[&str]) -> Option<Lockup> {
    let line = lines.iter().find(|line| {
        line.contains("soft lockup") || line.to_ascii_lowercase().contains("hard lockup")
    })?;
    Some(Lockup {
        cpu: number_after(line, "CPU#")
            .or_else(|| number_after(line, "on cpu "))
            .or_else(|| number_after(line, "CPU")),
        seconds: number_after(line, "stuck for "),
        task: line.rsplit_once('[').and_then(|(_, name)| task(name.trim_end_matches(']'), ':')),
    })
}

pub(super) fn rcu(lines: &[&str]) -> Option<RcuStall> {
    let line = lines.iter().find(|line| line.contains("detected") && line.contains("stall"))?;
    let rest = line.strip_prefix("INFO: ").unwrap_or(line);
    let detail = lines.iter().find(|line| {
        line.contains("(t=") || line.starts_with("(detected by") || line.contains(", t=")
    });
    let flavour = rest.split_whitespace().next().unwrap_or_default().to_owned();
    Some(RcuStall {
        flavour,
        self_detected: rest.contains("self-detected"),
        cpus: cpus(lines),
        tasks: lines
            .iter()
            .filter(|line| line.starts_with("Tasks blocked on"))
            .flat_map(|line| blocked(line))
            .collect(),
        jiffies: detail.and_then(|line| number_after(line, "t=")),
        grace_period: detail.and_then(|line| number_after(line, "g=")),
    })
}

/// `0-....: (21000 ticks this GP) idle=…`
fn cpus(lines: &[&str]) -> Vec<u64> {
    let numbered = lines
        .iter()
        .filter(|line| line.contains("ticks this GP)") || line.contains(" GPs behind)"));
    numbered.filter_map(|line| line.split('-').next()?.trim().parse().ok()).collect()
}

/// `Tasks blocked on level-0 rcu_node (CPUs 0-1): P42/1:b..l P43`
fn blocked(line: &str) -> Vec<u64> {
    let list = between(line, "): ", "\n")
        .or_else(|| line.split_once("): ").map(|(_, list)| list))
        .unwrap_or_default();
    let ids = list.split_whitespace().filter_map(|word| word.strip_prefix('P'));
    ids.filter_map(|word| word.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hung_task_may_have_any_name_and_a_blocker() {
        let got = hung_task(&[
            "INFO: task a blocked b:c:42 blocked for more than 143 seconds.",
            "INFO: task a blocked b:c:42 is blocked on a mutex likely owned by task x:7.",
        ])
        .unwrap();
        assert_eq!(got.task, Some(Task { comm: "a blocked b:c".into(), pid: 42 }));
        assert_eq!((got.seconds, got.blocker.unwrap().task.unwrap().pid), (Some(143), 7));
    }

    #[test]
    fn a_stall_names_processors_and_tasks() {
        let got = rcu(&[
            "INFO: rcu_preempt detected stalls on CPUs/tasks:",
            "1-...!: (1 GPs behind) idle=0/0/0x1 softirq=5/5 fqs=0",
            "Tasks blocked on level-0 rcu_node (CPUs 0-1): P42/1:b..l",
            "(detected by 0, t=5252 jiffies, g=-1151, q=10 ncpus=2)",
        ])
        .unwrap();
        assert_eq!((got.cpus, got.tasks, got.jiffies), (vec![1], vec![42], Some(5252)));
    }
}
