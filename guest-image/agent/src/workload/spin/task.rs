//! One task as the command line states it.

use agent_protocol::{Policy, Sched};

use crate::workload::units;

/// `other`, `other:NICE`, `batch:NICE`, `idle`, `fifo:PRIORITY`, `rr:PRIORITY`,
/// `deadline:RUNTIME/PERIOD`.
pub fn parse(text: &str) -> Result<Sched, String> {
    let (policy, argument) = match text.split_once(':') {
        Some((policy, argument)) => (policy, Some(argument)),
        None => (text, None),
    };
    let mut sched = Sched { policy: Some(policy_of(policy)?), ..Sched::default() };
    match (sched.policy, argument) {
        (Some(Policy::Other | Policy::Batch), argument) => {
            let nice = argument.unwrap_or("0").parse();
            sched.nice = Some(nice.map_err(|_| "the nice value is not a number")?);
        }
        (Some(Policy::Idle), None) => {}
        (Some(Policy::Fifo | Policy::Rr), Some(priority)) => {
            sched.priority = Some(units::count(priority)?);
        }
        (Some(Policy::Deadline), Some(budget)) => {
            let (runtime, period) = budget.split_once('/').ok_or("state RUNTIME/PERIOD")?;
            sched.runtime_ns = Some(nanos(runtime)?);
            sched.period_ns = Some(nanos(period)?);
            sched.deadline_ns = sched.period_ns;
        }
        _ => {
            return Err("fifo and rr take a priority, deadline RUNTIME/PERIOD, idle nothing".into());
        }
    }
    Ok(sched)
}

/// The name of a policy.
pub fn name(policy: Policy) -> &'static str {
    match policy {
        Policy::Other => "other",
        Policy::Batch => "batch",
        Policy::Idle => "idle",
        Policy::Fifo => "fifo",
        Policy::Rr => "rr",
        Policy::Deadline => "deadline",
    }
}

fn policy_of(text: &str) -> Result<Policy, String> {
    let all =
        [Policy::Other, Policy::Batch, Policy::Idle, Policy::Fifo, Policy::Rr, Policy::Deadline];
    let names = all.map(name).join(", ");
    let found = all.into_iter().find(|&policy| name(policy) == text);
    found.ok_or_else(|| format!("not a policy; there are {names}"))
}

fn nanos(text: &str) -> Result<u64, String> {
    let nanos = units::duration(text)?.as_nanos();
    u64::try_from(nanos).map_err(|_| "too long".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_can_be_stated() {
        let deadline = parse("deadline:10ms/100ms").unwrap();
        assert_eq!(deadline.runtime_ns, Some(10_000_000));
        assert_eq!(deadline.deadline_ns, Some(100_000_000));
        assert_eq!(parse("other:-5").unwrap().nice, Some(-5));
        assert_eq!(parse("batch").unwrap().nice, Some(0));
        assert_eq!(parse("fifo:50").unwrap().priority, Some(50));
        assert_eq!(parse("idle").unwrap().policy, Some(Policy::Idle));
    }

    #[test]
    fn half_a_task_is_refused() {
        for text in ["fifo", "rr:high", "idle:3", "deadline:10ms", "deadline:1/2", "nice", ""] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
