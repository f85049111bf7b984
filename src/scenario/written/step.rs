//! Steps as a file states them.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema};
use serde::Deserialize;

use super::constraint::one_of;
use super::{ExpectationKeys, Given, ListOr, Placed, StringOr, Text, Word};
use crate::scenario::model::{Cel, KindName, Pattern, Policy, Signal};
use crate::scenario::units::Time;

/// The keys that say what a step does; each step has exactly one of them.
pub const KINDS: [&str; 17] = [
    "load",
    "unload",
    "run",
    "shell",
    "write",
    "sysctl",
    "sysrq",
    "spawn",
    "kill",
    "wait",
    "sched",
    "wait_for",
    "sleep",
    "snapshot",
    "dump",
    "checkpoint",
    "release",
];

/// What can be waited for; each `wait_for` has exactly one of them.
pub const WAITED: [&str; 4] = ["console", "report", "event", "memory"];

/// One step: exactly one key that says what to do, and what every step may have.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Step", transform = |schema: &mut Schema| one_of(schema, &KINDS))]
pub struct StepKeys {
    /// Name for other steps and expectations to refer to. Default: `s1`, `s2`, … by position.
    pub id: Given<Text<String>>,
    /// What the step does, for people.
    pub name: Given<String>,
    /// How long it may take. Default: the scenario's `timeout.step`.
    pub timeout: Given<Text<Time>>,
    /// What must be true when it has ended. A step that ends otherwise than with success fails
    /// the scenario, unless it expects that (`exit`, `signal`).
    pub expect: Given<Vec<Placed<StringOr<ExpectationKeys>>>>,

    /// Load a module: its name, or a mapping with parameters.
    pub load: Given<StringOr<LoadKeys>>,
    /// Unload a module.
    pub unload: Given<String>,
    /// Run a program and wait for its end: its argv, or a mapping.
    pub run: Given<ListOr<ProgramKeys>>,
    /// Run lines in the guest's shell (`sh -e`).
    pub shell: Given<String>,
    /// Write to a file of procfs, sysfs, debugfs or a cgroup, in one `write(2)`.
    pub write: Given<WriteKeys>,
    /// Set sysctls by their dotted names.
    pub sysctl: Given<BTreeMap<String, Word>>,
    /// Send one sysrq command key.
    pub sysrq: Given<Text<char>>,
    /// Start a program and go on: its argv, or a mapping. Its end is waited for with `wait`.
    pub spawn: Given<ListOr<ProgramKeys>>,
    /// Send a signal to a spawned program and its process group.
    pub kill: Given<KillKeys>,
    /// Wait for the end of a spawned program; `expect` then speaks of how it ended.
    pub wait: Given<WaitKeys>,
    /// Change the scheduling of a spawned program.
    pub sched: Given<SchedKeys>,
    /// Wait until the kernel says something.
    pub wait_for: Given<WaitForKeys>,
    /// Save the guest's memory under this name, for `snapshots['NAME']` and `diff('A', 'B')`. The
    /// guest is paused meanwhile.
    pub snapshot: Given<Text<String>>,
    /// Write a vmcore `NAME.vmcore` for drgn and crash. The guest is paused meanwhile.
    pub dump: Given<Text<String>>,
    /// Wait until the test of a module stands at the checkpoint of this name. It stays there.
    pub checkpoint: Given<String>,
    /// Let the test that stands at the checkpoint of this name go on.
    pub release: Given<String>,
    /// Do nothing for a time, by the host's clock.
    pub sleep: Given<Text<Time>>,
}

/// A module to load.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Load")]
pub struct LoadKeys {
    /// Name, without `.ko`.
    pub module: String,
    /// Parameters, as on modprobe's command line.
    #[serde(default)]
    pub params: Given<BTreeMap<String, Word>>,
}

/// A program to start.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Program")]
pub struct ProgramKeys {
    /// Program and arguments. The program is one of the agent's own, or is packed from the host
    /// together with its shared libraries.
    #[schemars(length(min = 1))]
    pub argv: Vec<Word>,
    /// Environment variables to add.
    #[serde(default)]
    pub env: Given<BTreeMap<String, Word>>,
    /// What its standard input holds. Default: nothing.
    #[serde(default)]
    pub stdin: Given<Word>,
    /// Scheduling to start with.
    #[serde(default)]
    pub sched: Given<SchedKeys>,
    /// Its `/proc/self/oom_score_adj`, -1000 to 1000. Default: 0.
    #[schemars(range(min = -1000, max = 1000))]
    #[serde(default)]
    pub oom_score_adj: Given<Placed<i32>>,
}

/// What to write, and where.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Write")]
pub struct WriteKeys {
    /// Absolute path in the guest.
    pub path: String,
    /// The text to write, exactly: no newline is added.
    pub value: Word,
}

/// A signal, and for whom.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Kill")]
pub struct KillKeys {
    /// Id of an earlier `spawn` step.
    pub step: Text<String>,
    /// Name or number. Default: `TERM`.
    #[serde(default)]
    pub signal: Given<Text<Signal>>,
}

/// Whose end to wait for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Wait")]
pub struct WaitKeys {
    /// Id of an earlier `spawn` step.
    pub step: Text<String>,
}

/// Scheduling attributes (sched(7)). What is absent stays as it is.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Sched")]
pub struct SchedKeys {
    /// Id of an earlier `spawn` step. For a `sched` step only, which must have it.
    pub step: Given<Text<String>>,
    /// Scheduling policy.
    pub policy: Given<Policy>,
    /// Static priority of `fifo` and `rr`, 1 to 99.
    #[schemars(range(min = 1, max = 99))]
    pub priority: Given<Placed<u32>>,
    /// Nice value of `other` and `batch`, -20 to 19.
    #[schemars(range(min = -20, max = 19))]
    pub nice: Given<Placed<i32>>,
    /// `deadline`: time that it may run in each period.
    pub runtime: Given<Text<Time>>,
    /// `deadline`: the deadline, counted from the start of the period.
    pub deadline: Given<Text<Time>>,
    /// `deadline`: the period.
    pub period: Given<Text<Time>>,
    /// CPUs that it may run on.
    pub cpus: Given<Vec<u32>>,
    /// Cgroup below `/sys/fs/cgroup` to move it into; made if it is missing.
    pub cgroup: Given<String>,
}

/// What to wait for: exactly one of `console`, `report`, `event` and `memory`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "WaitFor", transform = |schema: &mut Schema| one_of(schema, &WAITED))]
pub struct WaitForKeys {
    /// Pattern that a line of the console must match; one printed before the step counts too.
    pub console: Given<Text<Pattern>>,
    /// Kind of a kernel report, such as `lockdep.circular`; `lockdep` stands for all of its kinds.
    pub report: Given<Text<KindName>>,
    /// Kind of an event, such as `oom.kill`.
    pub event: Given<Text<KindName>>,
    /// CEL over `memory` that must come true. The guest is paused for each look.
    pub memory: Given<Text<Cel>>,
    /// How long to wait. Default: the step's `timeout`.
    pub timeout: Given<Text<Time>>,
}
