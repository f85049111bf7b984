//! Steps.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cel, Expectation, Pattern, Signal};
use crate::scenario::units::Time;

/// One step.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Unique in the scenario.
    pub id: String,
    /// Name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What to do.
    #[serde(flatten)]
    pub action: Action,
    /// How long it may take, on KVM; the scenario's `timeout.step` where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Time>,
    /// What must be true when it has ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<Expectation>,
}

/// What a step does.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Load a module.
    Load {
        /// Name, without `.ko`.
        module: String,
        /// Parameters.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        params: BTreeMap<String, String>,
    },
    /// Unload the module of this name.
    Unload(String),
    /// Run a program to its end.
    Run(Program),
    /// Run a program, or a shell, with the harness's own input and output. No file can state it: `kharness
    /// shell` does.
    Interact(Option<Vec<String>>),
    /// Run lines in `sh -e`.
    Shell(String),
    /// Write to a file in one `write(2)`.
    Write {
        /// Absolute path in the guest.
        path: String,
        /// The text, exactly.
        value: String,
    },
    /// Set sysctls: dotted name to value.
    Sysctl(BTreeMap<String, String>),
    /// Send one sysrq command key.
    Sysrq(char),
    /// Start a program and go on.
    Spawn(Program),
    /// Send a signal to a spawned program.
    Kill {
        /// Id of the spawn step.
        step: String,
        /// The signal.
        signal: Signal,
    },
    /// Wait for the end of a spawned program.
    Wait {
        /// Id of the spawn step.
        step: String,
    },
    /// Change the scheduling of a spawned program.
    Sched {
        /// Id of the spawn step.
        step: String,
        /// What to change.
        #[serde(flatten)]
        sched: Sched,
    },
    /// Wait until the kernel says something.
    WaitFor(WaitFor),
    /// Save the guest's memory under this name.
    Snapshot(String),
    /// Write a vmcore of this name.
    Dump(String),
    /// Wait until a module's test stands at a checkpoint; it stays there.
    Checkpoint(String),
    /// Let the test that stands at a checkpoint go on.
    Release(String),
    /// Do nothing for a time, by the host's clock.
    Sleep(Time),
}

/// A program to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Program {
    /// Program and arguments; never empty.
    pub argv: Vec<String>,
    /// Environment variables to add.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// What its standard input holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
    /// Scheduling to start with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sched: Option<Sched>,
    /// Its `/proc/self/oom_score_adj`, -1000 to 1000.
    pub oom_score_adj: i32,
}

/// Scheduling attributes; what is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sched {
    /// Policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Static priority of `fifo` and `rr`, 1 to 99.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// Nice value, -20 to 19.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nice: Option<i32>,
    /// `deadline`: runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Time>,
    /// `deadline`: relative deadline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// `deadline`: period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<Time>,
    /// CPUs that it may run on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Vec<u32>>,
    /// Cgroup below `/sys/fs/cgroup`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
}

/// Scheduling policies of sched(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// `SCHED_OTHER`
    Other,
    /// `SCHED_BATCH`
    Batch,
    /// `SCHED_IDLE`
    Idle,
    /// `SCHED_FIFO`
    Fifo,
    /// `SCHED_RR`
    Rr,
    /// `SCHED_DEADLINE`
    Deadline,
}

/// What to wait for, and how long.
#[derive(Debug, Clone, Serialize)]
pub struct WaitFor {
    /// What.
    #[serde(flatten)]
    pub what: Waited,
    /// How long, on KVM; the step's timeout where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Time>,
}

/// What can be waited for.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Waited {
    /// A line of the console that matches.
    Console(Pattern),
    /// A report of this kind, or of one below it.
    Report(String),
    /// An event of this kind.
    Event(String),
    /// The expression over `memory` is true.
    Memory(Cel),
}
