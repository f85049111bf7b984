//! The top level of a scenario file.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema};
use serde::Deserialize;

use super::constraint::any_of;
use super::{ExpectationKeys, Given, Placed, StepKeys, StringOr, Text, Word};
use crate::scenario::model::{Arch, Backend, ConfigNeed, Date, FileMode, KernelNeed, KindName};
use crate::scenario::units::{Size, Time};

/// A scenario: boots a kernel, drives it through steps, and states what must be true.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(
    title = "kharness scenario",
    rename = "Scenario",
    transform = |schema: &mut Schema| any_of(schema, &["steps", "expect"])
)]
pub struct ScenarioKeys {
    /// What the scenario shows, in a few words. Its id is its path; the name is for people.
    pub name: Given<String>,
    /// Why the scenario exists and how to read its result.
    pub description: Given<String>,
    /// Words to select scenarios by (`-t`).
    pub tags: Given<Vec<Text<String>>>,
    /// What the kernel and the machine must have. Where they have not, the scenario is skipped,
    /// with the reason.
    pub requires: Given<RequiresKeys>,
    /// Kernel to boot where the command line names none: a build tree, an image, a profile, or
    /// `host`. Paths are relative to the scenario file.
    pub kernel: Given<String>,
    /// The machine to boot on.
    pub machine: Given<MachineKeys>,
    /// Modules to load before the first step, in this order.
    pub modules: Given<Vec<StringOr<ModuleKeys>>>,
    /// Files and programs to put into the guest. A string is a program of the host (`stress-ng`,
    /// `/usr/bin/stress-ng`), which keeps its path and brings its shared libraries.
    pub files: Given<Vec<Placed<StringOr<FileKeys>>>>,
    /// What to do, in order. The first step that fails ends the scenario.
    pub steps: Given<Vec<Placed<StepKeys>>>,
    /// What must be true when the last step is done and the guest has become quiet. A kernel
    /// report that is asked for neither here nor by a step nor in `allow` fails the scenario.
    pub expect: Given<Vec<Placed<StringOr<ExpectationKeys>>>>,
    /// Kernel reports that are known, and for now do not fail the scenario.
    pub allow: Given<Vec<AllowKeys>>,
    /// How long each phase may take. The times are for KVM; under emulation they are scaled.
    pub timeout: Given<TimeoutKeys>,
    /// How often a failed scenario is tried again, each time in a fresh machine. One that then
    /// passes is `flaky`. Default: 0. A crash is never excused by a retry.
    pub retries: Given<u32>,
    /// How often the scenario is run, each time in a fresh machine. Default: 1.
    #[schemars(range(min = 1))]
    pub repeat: Given<Placed<u32>>,
    /// Seed of everything random in the scenario. Default: chosen by the run, and recorded.
    pub seed: Given<u64>,
    /// The scenario is known to fail: the reason, or a mapping with it.
    pub xfail: Given<StringOr<XfailKeys>>,
}

/// What the kernel and the machine must have.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Requires")]
pub struct RequiresKeys {
    /// Kernel options: `CONFIG_MEMCG` (built in or a module), `CONFIG_KASAN=y`,
    /// `CONFIG_PREEMPT_RT=n`.
    pub config: Given<Vec<Text<ConfigNeed>>>,
    /// Architectures that the scenario is for. Default: all.
    pub arch: Given<Vec<Arch>>,
    /// Kernel version: comparisons joined by commas, such as `>=6.6, <6.12`.
    pub kernel: Given<Text<KernelNeed>>,
    /// The least number of CPUs.
    pub cpus: Given<u32>,
    /// The least memory.
    pub memory: Given<Text<Size>>,
}

/// The machine to boot on.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Machine")]
pub struct MachineKeys {
    /// Architecture. Default: `x86-64`.
    pub arch: Given<Arch>,
    /// Board, as the backend calls it. Default: the architecture's plain virtual machine.
    pub board: Given<String>,
    /// Number of CPUs, 1 to 64. Default: 2.
    pub cpus: Given<Placed<u32>>,
    /// Guest memory. Default: `512MiB`.
    pub memory: Given<Text<Size>>,
    /// What runs the guest. Default: `auto`, which is KVM where it works, and else QEMU.
    pub backend: Given<Backend>,
    /// Words to append to the kernel command line.
    pub cmdline: Given<Text<String>>,
}

/// A kernel module and its parameters.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Module")]
pub struct ModuleKeys {
    /// Name, without `.ko`.
    pub name: String,
    /// Parameters, as on modprobe's command line.
    #[serde(default)]
    pub params: Given<BTreeMap<String, Word>>,
}

/// A file to put into the guest.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "File")]
pub struct FileKeys {
    /// Path on the host, relative to the scenario file.
    pub from: String,
    /// Absolute path in the guest.
    pub to: String,
    /// Permission bits in octal, such as `"0755"`. Default: those of the host's file.
    #[serde(default)]
    pub mode: Given<Text<FileMode>>,
}

/// A kernel report that is known.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Allow")]
pub struct AllowKeys {
    /// Kind of the report; `lockdep` stands for every `lockdep.…` too.
    pub report: Text<KindName>,
    /// Function that the report must name.
    #[serde(default)]
    pub function: Given<String>,
    /// Why it is known and not fixed.
    pub reason: Text<String>,
    /// Where it is followed up.
    #[serde(default)]
    pub link: Given<String>,
    /// Last day, `YYYY-MM-DD`, on which it is allowed.
    #[serde(default)]
    pub until: Given<Text<Date>>,
}

/// How long each phase may take.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Timeouts")]
pub struct TimeoutKeys {
    /// From power-on until the agent answers. Default: `30s`.
    pub boot: Given<Text<Time>>,
    /// A step that states no `timeout` of its own. Default: `30s`.
    pub step: Given<Text<Time>>,
    /// How long the guest may give no sign of life: neither console output nor an answer of the
    /// agent. Default: `30s`.
    pub quiet: Given<Text<Time>>,
    /// Everything together, boot included. Default: `5m`.
    pub total: Given<Text<Time>>,
}

/// A known failure.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Xfail")]
pub struct XfailKeys {
    /// Why it fails.
    pub reason: String,
    /// Whether passing all the same (`xpass`) fails the run. Default: true.
    #[serde(default)]
    pub strict: Given<bool>,
}
