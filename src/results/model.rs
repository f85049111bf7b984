//! The results document of `--json`. Its JSON Schema is what `kharness schema --results` prints;
//! a change that an old reader would misread raises [`SCHEMA`].

use super::allowances::StaleAllowance;
use super::frame::FrameResult;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the document.
pub const SCHEMA: u32 = 1;

/// One run of the command.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// Version of this document's shape.
    pub schema: u32,
    /// The run as a whole.
    pub run: RunInfo,
    /// Kernels that were booted.
    pub kernels: Vec<KernelInfo>,
    /// One entry a test, in the order of the plan.
    pub results: Vec<TestResult>,
    /// Entries of `allow` that did nothing, or not any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stale_allowances: Vec<StaleAllowance>,
}

/// The run as a whole.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RunInfo {
    /// Name of the run and of its directory.
    pub id: String,
    /// Start, RFC 3339, UTC.
    pub started: String,
    /// Machine that the harness ran on.
    pub host: HostInfo,
    /// Backend that ran the guests.
    pub backend: String,
    /// Why this backend.
    pub backend_reason: String,
    /// Seed of the run.
    pub seed: u64,
    /// Wall time in milliseconds.
    pub duration_ms: u64,
    /// Whether the run was stopped before its end.
    pub interrupted: bool,
    /// Directory with everything that the run left behind.
    pub dir: String,
    /// Whether a flaky test fails the run.
    #[serde(default)]
    pub flaky_fails: bool,
    /// Which part of the selected tests this run had; absent for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<PartitionInfo>,
    /// Ids of the tests that were to run, in the order of the plan.
    #[serde(default)]
    pub planned: Vec<String>,
    /// Digest of the ids of all selected tests, whatever the partition: parts with different
    /// digests are not parts of one run. Empty in documents of schema 1 before it was added.
    #[serde(default)]
    pub plan_digest: String,
}

impl Document {
    /// Whether the run is still good with a test of this status.
    pub fn accepts(&self, status: Status) -> bool {
        status.is_good() && !(self.run.flaky_fails && status == Status::Flaky)
    }

    /// Ids of tests that were to run and have no result.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        let done: HashSet<&str> = self.results.iter().map(|result| result.id.as_str()).collect();
        self.run.planned.iter().map(String::as_str).filter(move |id| !done.contains(id))
    }
}

/// One part of a run that is spread over machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartitionInfo {
    /// `hash` or `slice`.
    pub scheme: String,
    /// Number of this part; the first is 1.
    pub index: u32,
    /// How many parts there are.
    pub total: u32,
}

/// The machine that the harness ran on.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HostInfo {
    /// `uname -n`.
    pub name: String,
    /// `uname -r`.
    pub kernel: String,
    /// `uname -m`.
    pub arch: String,
    /// CPUs online.
    pub cpus: usize,
}

/// A kernel under test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KernelInfo {
    /// How it was named: the argument of `--kernel`.
    pub name: String,
    /// `uname -r`.
    pub release: String,
    /// Architecture.
    pub arch: String,
    /// The image that was booted.
    pub image: String,
}

/// What became of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Everything expected came, nothing else did.
    Pass,
    /// An expectation failed, or the kernel reported a problem and lived on.
    Fail,
    /// The kernel died, or its agent was lost.
    Crash,
    /// A limit passed.
    Timeout,
    /// A requirement is not met.
    Skip,
    /// Failed, as the scenario says it does.
    Xfail,
    /// Passed, although the scenario says that it fails.
    Xpass,
    /// Failed at first and passed when tried again.
    Flaky,
    /// The harness or the host failed: says nothing about the kernel.
    Error,
}

impl Status {
    /// Whether a run with this result is still good.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Pass | Self::Skip | Self::Xfail | Self::Flaky)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Crash => "crash",
            Self::Timeout => "timeout",
            Self::Skip => "skip",
            Self::Xfail => "xfail",
            Self::Xpass => "xpass",
            Self::Flaky => "flaky",
            Self::Error => "error",
        })
    }
}

/// One scenario in one cell of its matrix.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct TestResult {
    /// Scenario id, with the cell where there is one.
    pub id: String,
    /// Scenario file.
    pub scenario: String,
    /// Kernel that it ran on: `name` of an entry of `kernels`.
    #[serde(default)]
    pub kernel: String,
    /// Cell of the matrix: axis to value.
    pub cell: BTreeMap<String, String>,
    /// What became of it.
    pub status: Status,
    /// Why, in one line; absent for a pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Wall time of all attempts in milliseconds.
    pub duration_ms: u64,
    /// Every attempt, first to last.
    pub attempts: Vec<Attempt>,
    /// Steps of the last attempt.
    pub steps: Vec<StepResult>,
    /// Kernel reports of the last attempt.
    pub reports: Vec<ReportResult>,
    /// Expectations of the last attempt.
    pub expectations: Vec<ExpectationResult>,
    /// Tests of modules in the last attempt, as they reported themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ktap: Vec<KtapResult>,
    /// Numbers measured in the last attempt.
    pub metrics: BTreeMap<String, f64>,
    /// Numbers that the test itself reported in the last attempt; the gate compares these.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measures: BTreeMap<String, Measure>,
    /// Files of the last attempt, relative to the run's directory.
    pub artifacts: Vec<String>,
    /// Command that runs exactly this test again.
    pub repro: String,
    /// What compilers said of a module that does not build.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub build_log: String,
    /// Console lines around what went wrong; empty for a pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excerpt: Vec<String>,
    /// State of the guest when it stopped, read from its memory, as `kharness inspect` prints it;
    /// empty where no snapshot was kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guest: Vec<String>,
}

/// A number that a test reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measure {
    /// The number.
    pub value: f64,
    /// Its unit, such as `ns` or `MB/s`; empty for a bare count.
    #[serde(default)]
    pub unit: String,
    /// Which direction is an improvement.
    pub better: Better,
}

/// Which direction of a number is an improvement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Less is better: times, sizes.
    Lower,
    /// More is better: throughput.
    Higher,
}

/// How much of the host a test got while it ran.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct HostLoad {
    /// Load average of the last minute, for each CPU online.
    pub load_per_cpu: f64,
    /// Share of all CPU time that a hypervisor below took away, in percent.
    pub steal_percent: f64,
    /// Share of the wall time for which the harness and its guests waited for a CPU, in percent;
    /// above 100 where several threads waited.
    pub cpu_wait_percent: f64,
    /// Share of the CPU time wanted by the harness and its guests that they had to wait for, in
    /// percent.
    pub cpu_denied_percent: f64,
    /// Share of the wall time in which no task of the host could run for want of memory, in
    /// percent (PSI `full`).
    pub memory_stall_percent: f64,
}

/// One boot of a test.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// What became of it.
    pub status: Status,
    /// Why, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Wall time in milliseconds.
    pub duration_ms: u64,
    /// Whether the guest was a copy of a booted one.
    #[serde(default)]
    pub forked: bool,
    /// From the start of the machine to the agent's first answer, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_ms: Option<u64>,
    /// Start, in milliseconds after the start of the run.
    #[serde(default)]
    pub started_ms: u64,
    /// Worker that ran it, counted from 0.
    #[serde(default)]
    pub worker: u32,
    /// Load of the host meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostLoad>,
    /// What the agent could not set up in the guest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepStatus {
    /// It was carried out; whether that is good, its expectations say.
    Done,
    /// It could not be carried out.
    Failed,
    /// Its limit passed.
    TimedOut,
    /// The guest ended while it was running.
    Interrupted,
    /// It was not reached.
    NotRun,
}

/// One step.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct StepResult {
    /// Step id.
    pub id: String,
    /// Its kind: the key that names it in the scenario.
    pub kind: String,
    /// What became of it.
    pub status: StepStatus,
    /// Start, in milliseconds after the machine's start.
    pub start_ms: u64,
    /// Duration in milliseconds.
    pub duration_ms: u64,
    /// Exit code of its program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// Signal that killed its program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Standard output of its program, as text; cut at 1 MiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stdout: String,
    /// Standard error of its program, as text; cut at 1 MiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stderr: String,
}

/// One kernel report.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ReportResult {
    /// Dotted kind, such as `lockdep.circular`.
    pub kind: String,
    /// Canonical title.
    pub title: String,
    /// Function to blame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Stable across runs and builds.
    pub fingerprint: String,
    /// Step that was running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Whether the scenario asked for it, and if not, whether it is allowed.
    pub expected: bool,
    /// Reason of the `allow` entry that excuses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// Whether it is cut or mixed up.
    pub corrupted: bool,
    /// First byte in the console.
    pub start: u64,
    /// Byte after its last in the console.
    pub end: u64,
    /// The instructions around the one that trapped, where the test is not good and the report shows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub code: Vec<String>,
    /// Where it was raised, innermost first; for reports that speak against the test.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<FrameResult>,
    /// Why the frames have no source lines although the kernel has debugging information.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbols: Option<String>,
}

impl ReportResult {
    /// Lines that show where it was raised: the trapping instruction, then the stack.
    pub fn place(&self) -> impl Iterator<Item = String> {
        let frames = self.frames.iter().map(ToString::to_string);
        self.symbols.iter().chain(&self.code).cloned().chain(frames)
    }
}

/// One test of a module.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct KtapResult {
    /// Its name behind those of the suites that it is in, joined by dots; the outermost suite has the
    /// name of the module.
    pub name: String,
    /// `pass`, `fail`, `skip`, `xfail`, `timeout`, `error`, or `crash` when its result never came.
    pub status: String,
    /// Why it was skipped, or how it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it printed about itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<String>,
    /// Step in which its module began to report.
    pub step: String,
}

/// One expectation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ExpectationResult {
    /// As the scenario states it.
    pub text: String,
    /// Step that it belongs to; absent for one of the whole scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Whether it holds.
    pub held: bool,
    /// Why not: the values of its parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// Why it matters, as the scenario says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}
