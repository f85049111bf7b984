//! Programs and their scheduling.

use crate::scenario::model::{Policy, Program, Sched};
use crate::scenario::problem::Problems;
use crate::scenario::source::Place;
use crate::scenario::written::{ListOr, Placed, ProgramKeys, SchedKeys, Word};

/// A program to start.
pub fn program(
    written: ListOr<ProgramKeys>,
    place: Place,
    problems: &mut Problems,
) -> Option<Program> {
    let program = match written {
        ListOr::Short(argv) => {
            let argv = words(argv);
            Program { argv, env: Default::default(), stdin: None, sched: None, oom_score_adj: 0 }
        }
        ListOr::Full(keys) => Program {
            sched: keys.sched.0.as_ref().map(|keys| start_sched(keys, place, problems)),
            oom_score_adj: keys.oom_score_adj.0.map_or(0, |adj| oom_score_adj(&adj, problems)),
            argv: words(keys.argv),
            env: keys.env.words(),
            stdin: keys.stdin.0.map(|Word(text)| text),
        },
    };
    if program.argv.first().is_none_or(String::is_empty) {
        problems.add(place, "no program to start: the first word of the argv names it");
        return None;
    }
    Some(program)
}

fn words(words: Vec<Word>) -> Vec<String> {
    words.into_iter().map(|Word(text)| text).collect()
}

fn oom_score_adj(adj: &Placed<i32>, problems: &mut Problems) -> i32 {
    within(Some(adj), -1000..=1000, "oom_score_adj", problems).unwrap_or(0)
}

/// Scheduling to start with: it is for the program itself, and names no step.
fn start_sched(keys: &SchedKeys, place: Place, problems: &mut Problems) -> Sched {
    if let Some(step) = &keys.step.0 {
        problems.add(step.place(), "`step` is for a `sched` step; here it is this very program");
    }
    sched(keys, place, problems)
}

/// Scheduling attributes, each in its range and with the policy that it belongs to.
pub fn sched(keys: &SchedKeys, place: Place, problems: &mut Problems) -> Sched {
    let sched = Sched {
        policy: keys.policy.0,
        priority: within(keys.priority.0.as_ref(), 1..=99, "priority", problems),
        nice: within(keys.nice.0.as_ref(), -20..=19, "nice", problems),
        runtime: keys.runtime.read(problems),
        deadline: keys.deadline.read(problems),
        period: keys.period.read(problems),
        cpus: keys.cpus.0.clone(),
        cgroup: keys.cgroup.0.clone(),
    };
    if let Some(missing) = missing(&sched) {
        problems.add(place, missing);
    }
    sched
}

fn within<T: Copy + PartialOrd + std::fmt::Display>(
    written: Option<&Placed<T>>,
    range: std::ops::RangeInclusive<T>,
    key: &str,
    problems: &mut Problems,
) -> Option<T> {
    let Placed { value, place } = written?;
    if !range.contains(value) {
        let (start, end) = (range.start(), range.end());
        problems.add(*place, format!("`{key}` is between {start} and {end}, not {value}"));
    }
    Some(*value)
}

/// What sched_setattr(2) would refuse for want of a value.
fn missing(sched: &Sched) -> Option<&'static str> {
    match sched.policy {
        Some(Policy::Fifo | Policy::Rr) if sched.priority.is_none() => {
            Some("the policies `fifo` and `rr` need a `priority`")
        }
        Some(Policy::Deadline) if sched.runtime.is_none() || sched.period.is_none() => {
            Some("the policy `deadline` needs `runtime` and `period`")
        }
        _ => None,
    }
}
