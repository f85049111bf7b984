//! Scheduling attributes: `sched_setattr(2)`, `sched_setaffinity(2)`, cgroups.

use std::{fs, io};

use agent_protocol::{Failure, Policy, Sched};
use rustix::thread::{CpuSet, Pid, sched_setaffinity};

use crate::failure::{Context, failure};
use crate::serve::cgroup;
use crate::sys::{self, SchedAttr};

/// `SCHED_FLAG_RESET_ON_FORK` (include/uapi/linux/sched.h).
const RESET_ON_FORK: u64 = 1;

/// The highest static priority, `MAX_RT_PRIO - 1` (include/linux/sched/prio.h).
const TOP_PRIORITY: u32 = 99;

/// Puts the calling thread above everything that it may have to stop: the agent must answer
/// while a `fifo` task has the CPU. What it forks starts as an ordinary task.
pub fn rise() -> io::Result<()> {
    sys::sched_setattr(
        0,
        &SchedAttr {
            policy: number(Policy::Fifo),
            priority: TOP_PRIORITY,
            flags: RESET_ON_FORK,
            ..SchedAttr::default()
        },
    )
}

/// Applies `sched` to process `pid` and all of its threads.
pub fn apply(pid: u32, sched: &Sched) -> Result<(), Failure> {
    if let Some(name) = &sched.cgroup {
        cgroup::join(name, pid)?;
    }
    for tid in threads(pid)? {
        apply_to_thread(tid, sched)?;
    }
    Ok(())
}

/// Applies all of `sched` but the cgroup to thread `tid`; 0 is the caller.
pub fn apply_to_thread(tid: i32, sched: &Sched) -> Result<(), Failure> {
    if let Some(cpus) = &sched.cpus {
        let set = cpu_set(cpus)?;
        sched_setaffinity(Pid::from_raw(tid), &set)
            .context(|| format!("cannot set the affinity to CPUs {cpus:?}"))?;
    }
    if !changes_policy(sched) {
        return Ok(());
    }
    let current = sys::sched_getattr(tid).context(|| "cannot read the policy".to_owned())?;
    let wanted = merge(current, sched)?;
    sys::sched_setattr(tid, &wanted).context(|| describe(sched))
}

fn changes_policy(sched: &Sched) -> bool {
    let deadline = [sched.runtime_ns, sched.deadline_ns, sched.period_ns];
    sched.policy.is_some()
        || sched.priority.is_some()
        || sched.nice.is_some()
        || deadline.iter().any(Option::is_some)
}

/// `current` with what `sched` states, and nothing that its policy would refuse.
fn merge(current: SchedAttr, sched: &Sched) -> Result<SchedAttr, Failure> {
    let policy = sched.policy.map_or(current.policy, number);
    let real_time = is(policy, &[Policy::Fifo, Policy::Rr]);
    let deadline = is(policy, &[Policy::Deadline]);
    let mut wanted = SchedAttr {
        policy,
        nice: sched.nice.unwrap_or(current.nice),
        flags: current.flags,
        ..SchedAttr::default()
    };
    if real_time {
        wanted.priority = sched.priority.unwrap_or(current.priority);
        if !(1..TOP_PRIORITY).contains(&wanted.priority) {
            return Err(failure(
                "fifo and rr need a priority, 1 to 98: 99 is the agent's own, which could not stop \
                 such a task",
            ));
        }
    } else if sched.priority.is_some() {
        return Err(failure("a priority goes with fifo and rr only"));
    }
    if deadline {
        wanted.runtime = sched.runtime_ns.unwrap_or(current.runtime);
        wanted.period = sched.period_ns.or(sched.deadline_ns).unwrap_or(current.period);
        wanted.deadline = sched.deadline_ns.unwrap_or(wanted.period);
    }
    Ok(wanted)
}

fn describe(sched: &Sched) -> String {
    let hint = if sched.policy == Some(Policy::Deadline) {
        " (deadline needs 1024 ns <= runtime <= deadline <= period, all CPUs in the affinity mask, \
         and bandwidth left: see sched(7))"
    } else {
        ""
    };
    format!("cannot set the scheduling policy{hint}")
}

/// The kernel's number of `policy` (include/uapi/linux/sched.h).
fn number(policy: Policy) -> u32 {
    match policy {
        Policy::Other => 0,
        Policy::Fifo => 1,
        Policy::Rr => 2,
        Policy::Batch => 3,
        Policy::Idle => 5,
        Policy::Deadline => 6,
    }
}

fn is(policy: u32, any_of: &[Policy]) -> bool {
    any_of.iter().any(|&candidate| number(candidate) == policy)
}

fn cpu_set(cpus: &[u32]) -> Result<CpuSet, Failure> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        let index = usize::try_from(cpu).unwrap_or(usize::MAX);
        if index >= CpuSet::MAX_CPU {
            return Err(failure(format!("there is no CPU {cpu}")));
        }
        set.set(index);
    }
    Ok(set)
}

fn threads(pid: u32) -> Result<Vec<i32>, Failure> {
    let directory = format!("/proc/{pid}/task");
    let entries = fs::read_dir(&directory).context(|| format!("no process {pid} any more"))?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(sched: &Sched) -> Result<SchedAttr, Failure> {
        merge(SchedAttr::default(), sched)
    }

    #[test]
    fn the_agents_own_priority_is_not_given_away() {
        for (priority, fine) in [(0, false), (1, true), (98, true), (99, false), (100, false)] {
            let sched =
                Sched { policy: Some(Policy::Fifo), priority: Some(priority), ..Sched::default() };
            assert_eq!(wanted(&sched).is_ok(), fine, "{priority}");
        }
    }

    #[test]
    fn an_ordinary_task_takes_no_priority() {
        let sched = Sched { priority: Some(1), ..Sched::default() };
        assert!(wanted(&sched).is_err());
    }

    #[test]
    fn what_is_not_stated_stays() {
        let current = SchedAttr { policy: number(Policy::Batch), nice: 7, ..SchedAttr::default() };
        let idle = Sched { policy: Some(Policy::Idle), ..Sched::default() };
        let attr = merge(current, &idle).unwrap();
        assert_eq!((attr.policy, attr.nice), (number(Policy::Idle), 7));
        assert!(!changes_policy(&Sched::default()));
    }

    #[test]
    fn the_deadline_is_the_period_unless_stated() {
        let sched = Sched {
            policy: Some(Policy::Deadline),
            runtime_ns: Some(1),
            period_ns: Some(5),
            ..Sched::default()
        };
        let attr = wanted(&sched).unwrap();
        assert_eq!((attr.runtime, attr.deadline, attr.period), (1, 5, 5));
    }

    #[test]
    fn a_cpu_that_cannot_be_is_refused() {
        assert!(cpu_set(&[u32::MAX]).is_err());
        assert!(cpu_set(&[0, 3]).unwrap().is_set(3));
    }
}
