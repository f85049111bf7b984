//! A scenario's steps in the words of the agent's protocol.

use agent_protocol::{Command, Data, Op};

use crate::scenario::model::{Action, Policy, Program, Sched};
use crate::scenario::units::Time;

/// The key that names a step's kind.
pub fn kind(action: &Action) -> &'static str {
    match action {
        Action::Load { .. } => "load",
        Action::Unload(_) => "unload",
        Action::Run(_) => "run",
        Action::Shell(_) => "shell",
        Action::Write { .. } => "write",
        Action::Sysctl(_) => "sysctl",
        Action::Sysrq(_) => "sysrq",
        Action::Spawn(_) => "spawn",
        Action::Kill { .. } => "kill",
        Action::Wait { .. } => "wait",
        Action::Sched { .. } => "sched",
        Action::WaitFor(_) => "wait_for",
        Action::Sleep(_) => "sleep",
        Action::Snapshot(_) => "snapshot",
        Action::Dump(_) => "dump",
        Action::Checkpoint(_) => "checkpoint",
        Action::Release(_) => "release",
        Action::Interact(_) => "interact",
    }
}

/// The requests that carry `action` out, in order; none for what the harness does by itself.
/// Programs find `seed` in their environment. `request_of` gives the request that spawned the
/// program of a step.
pub fn operations(action: &Action, seed: u64, request_of: impl Fn(&str) -> Option<u64>) -> Vec<Op> {
    let target = |step: &str| request_of(step).unwrap_or_default();
    match action {
        Action::Load { module, params } => {
            vec![Op::Load { module: module.clone(), params: params.clone() }]
        }
        Action::Unload(module) => vec![Op::Unload { module: module.clone() }],
        Action::Run(program) => vec![Op::Run(command(program, seed))],
        Action::Shell(script) => vec![Op::Run(shell(script, seed))],
        Action::Spawn(program) => vec![Op::Spawn(command(program, seed))],
        Action::Write { path, value } => {
            vec![Op::Write { path: path.clone(), value: Data::Text(value.clone()) }]
        }
        Action::Sysctl(values) => values
            .iter()
            .map(|(name, value)| Op::Sysctl { name: name.clone(), value: value.clone() })
            .collect(),
        Action::Sysrq(key) => vec![Op::Sysrq { key: *key }],
        Action::Kill { step, signal } => {
            vec![Op::Kill { target: target(step), signal: signal.0 }]
        }
        Action::Wait { step } => vec![Op::Wait { target: target(step) }],
        Action::Sched { step, sched } => {
            vec![Op::Sched { target: target(step), sched: attributes(sched) }]
        }
        Action::Checkpoint(_)
        | Action::Release(_)
        | Action::WaitFor(_)
        | Action::Sleep(_)
        | Action::Snapshot(_)
        | Action::Interact(_)
        | Action::Dump(_) => Vec::new(),
    }
}

fn shell(script: &str, seed: u64) -> Command {
    let argv = ["sh", "-e", "-c", script].map(str::to_owned).to_vec();
    Command { argv, env: [seed_variable(seed)].into(), ..Command::default() }
}

fn seed_variable(seed: u64) -> (String, String) {
    ("KHARNESS_SEED".to_owned(), seed.to_string())
}

fn command(program: &Program, seed: u64) -> Command {
    Command {
        argv: program.argv.clone(),
        env: [seed_variable(seed)].into_iter().chain(program.env.clone()).collect(),
        stdin: program.stdin.clone().map(Data::Text),
        terminal: None,
        sched: program.sched.as_ref().map(attributes),
        oom_score_adj: program.oom_score_adj,
    }
}

fn attributes(sched: &Sched) -> agent_protocol::Sched {
    let nanoseconds = |time: &Time| u64::try_from(time.0.as_nanos()).unwrap_or(u64::MAX);
    agent_protocol::Sched {
        policy: sched.policy.map(policy),
        priority: sched.priority,
        nice: sched.nice,
        runtime_ns: sched.runtime.as_ref().map(nanoseconds),
        deadline_ns: sched.deadline.as_ref().map(nanoseconds),
        period_ns: sched.period.as_ref().map(nanoseconds),
        cpus: sched.cpus.clone(),
        cgroup: sched.cgroup.clone(),
    }
}

fn policy(policy: Policy) -> agent_protocol::Policy {
    match policy {
        Policy::Other => agent_protocol::Policy::Other,
        Policy::Batch => agent_protocol::Policy::Batch,
        Policy::Idle => agent_protocol::Policy::Idle,
        Policy::Fifo => agent_protocol::Policy::Fifo,
        Policy::Rr => agent_protocol::Policy::Rr,
        Policy::Deadline => agent_protocol::Policy::Deadline,
    }
}
