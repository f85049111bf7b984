//! The results document of `--json`. Its JSON Schema is what `kharness schema --results` prints;
//! a change that an old reader would misread raises [`SCHEMA`].

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// Version of the document.
pub const SCHEMA: u32 = 1;

/// One run of the command.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Document {
    /// Version of this document's shape.
    pub schema: u32,
    /// The run as a whole.
    pub run: RunInfo,
    /// Kernels that were booted.
    pub kernels: Vec<KernelInfo>,
    /// One entry a test, in the order of the plan.
    pub results: Vec<TestResult>,
}

/// The run as a whole.
#[derive(Debug, Clone, Serialize, JsonSchema)]
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
}

/// The machine that the harness ran on.
#[derive(Debug, Clone, Serialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
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
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TestResult {
    /// Scenario id, with the cell where there is one.
    pub id: String,
    /// Scenario file.
    pub scenario: String,
    /// Cell of the matrix: axis to value.
    pub cell: BTreeMap<String, String>,
    /// What became of it.
    pub status: Status,
    /// Why, in one line; absent for a pass.
    #[serde(skip_serializing_if = "Option::is_none")]
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
    /// Numbers measured in the last attempt.
    pub metrics: BTreeMap<String, f64>,
    /// Files of the last attempt, relative to the run's directory.
    pub artifacts: Vec<String>,
    /// Command that runs exactly this test again.
    pub repro: String,
    /// Console lines around what went wrong; empty for a pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excerpt: Vec<String>,
}

/// One boot of a test.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Attempt {
    /// What became of it.
    pub status: Status,
    /// Why, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Wall time in milliseconds.
    pub duration_ms: u64,
    /// From the start of the machine to the agent's first message, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_ms: Option<u64>,
    /// What the agent could not set up in the guest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
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
#[derive(Debug, Clone, Serialize, JsonSchema)]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// Signal that killed its program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Standard output of its program, as text; cut at 1 MiB.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stdout: String,
    /// Standard error of its program, as text; cut at 1 MiB.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stderr: String,
}

/// One kernel report.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReportResult {
    /// Dotted kind, such as `lockdep.circular`.
    pub kind: String,
    /// Canonical title.
    pub title: String,
    /// Function to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Stable across runs and builds.
    pub fingerprint: String,
    /// Step that was running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Whether the scenario asked for it, and if not, whether it is allowed.
    pub expected: bool,
    /// Reason of the `allow` entry that excuses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// Whether it is cut or mixed up.
    pub corrupted: bool,
    /// First byte in the console.
    pub start: u64,
    /// Byte after its last in the console.
    pub end: u64,
}

/// One expectation.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ExpectationResult {
    /// As the scenario states it.
    pub text: String,
    /// Step that it belongs to; absent for one of the whole scenario.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Whether it holds.
    pub held: bool,
    /// Why not: the values of its parts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// Why it matters, as the scenario says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}
