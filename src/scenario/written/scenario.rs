//! The top level of a scenario file.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema};
use serde::Deserialize;

use super::constraint::{any_of, one_of};
use super::{ExpectationKeys, Given, MatrixKeys, Placed, StepKeys, StringOr, Text, Word};
use crate::scenario::model::{
    Arch, Backend, Board, Clock, ConfigNeed, Date, FileMode, KernelNeed, KindName,
};
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
    /// A snapshot of another scenario that this one goes on from, with its machine, kernel and modules.
    pub from: Given<Placed<FromKeys>>,
    /// The machine to boot on.
    pub machine: Given<MachineKeys>,
    /// Modules to load before the first step, in this order.
    pub modules: Given<Vec<StringOr<ModuleKeys>>>,
    /// Files and programs to put into the guest. A string is a program of the host (`stress-ng`,
    /// `/usr/bin/stress-ng`), which keeps its path and brings its shared libraries.
    pub files: Given<Vec<Placed<StringOr<FileKeys>>>>,
    /// Axes of values. Each combination is a test of its own.
    pub matrix: Given<Placed<MatrixKeys>>,
    /// What to do, in order. The first step that fails ends the scenario.
    pub steps: Given<Vec<Placed<StepKeys>>>,
    /// What must be true when the last step is done and the guest has become quiet. A kernel
    /// report that is asked for neither here nor by a step nor in `allow` fails the scenario.
    pub expect: Given<Vec<Placed<StringOr<ExpectationKeys>>>>,
    /// Kernel reports that are known, and for now do not fail the scenario. A string is a file with the
    /// key `allow`, relative to the scenario file, for what several scenarios share.
    pub allow: Given<Vec<Placed<StringOr<AllowKeys>>>>,
    /// How long each phase may take. The times are for KVM; under emulation they are scaled.
    pub timeout: Given<TimeoutKeys>,
    /// How often a failed scenario is tried again, each time in a fresh machine. One that then
    /// passes is `flaky`. Default: 0. A crash is never excused by a retry.
    pub retries: Given<u32>,
    /// How often the scenario is run, each time in a fresh machine. Default: 1.
    #[schemars(range(min = 1))]
    pub repeat: Given<Placed<u32>>,
    /// Whether it is booted for itself, because the boot is what it tests. Default: false: all
    /// scenarios with the same kernel and machine are copies of one booted guest.
    pub fresh_boot: Given<bool>,
    /// Seed of everything random in the scenario. Default: chosen by the run, and recorded.
    pub seed: Given<u64>,
    /// Delays vCPUs against each other while steps run, by the seed, to make races show. It takes two vCPUs.
    pub perturb: Given<Placed<PerturbKeys>>,
    /// The guest's wall clock at the first step: the `host`'s (the default); as the `boot` left it, the same
    /// in every copy; or a time.
    pub clock: Given<Text<Clock>>,
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
    /// Boards that the scenario is for. Default: all.
    pub board: Given<Vec<Board>>,
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
    /// Architecture. Default: that of the board, else `x86-64`.
    pub arch: Given<Arch>,
    /// Board of an `aarch64` guest. Default: `virt`, QEMU's own.
    pub board: Given<Placed<Board>>,
    /// Number of CPUs, 1 to 64. Default: 2, or what the board has.
    pub cpus: Given<Placed<u32>>,
    /// Guest memory. Default: `512MiB`, or what the board has.
    pub memory: Given<Text<Size>>,
    /// What runs the guest. Default: `auto`, which is KVM where it works, and else QEMU.
    pub backend: Given<Backend>,
    /// Disks, 6 at most; the first is `/dev/vda`. What the guest writes to them is gone with it.
    pub disks: Given<Vec<Placed<DiskKeys>>>,
    /// Give the guest a working KVM of its own, by emulating an AMD processor: slow, but it works
    /// everywhere. Default: false.
    pub nested: Given<bool>,
    /// Unpack a compressed kernel on the host, which saves the guest the time. Where false, the image
    /// is booted as it is, and unpacks itself. Default: true.
    pub unpack: Given<bool>,
    /// Words to append to the kernel command line.
    pub cmdline: Given<Text<String>>,
}

/// A snapshot of another scenario.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "From")]
pub struct FromKeys {
    /// The scenario's file, relative to this one.
    pub scenario: String,
    /// The name of one of its `snapshot` steps.
    pub snapshot: String,
}

/// A disk: a raw image, or zeros.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    rename = "Disk",
    transform = |schema: &mut Schema| one_of(schema, &["from", "size"])
)]
pub struct DiskKeys {
    /// A raw image, relative to the scenario file. It stays as it is: changes go to memory.
    #[serde(default)]
    pub from: Given<String>,
    /// Size of a blank disk.
    #[serde(default)]
    pub size: Given<Text<Size>>,
    /// Whether the guest may only read. Default: false.
    #[serde(default)]
    pub readonly: Given<bool>,
}

/// A kernel module and its parameters.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Module")]
pub struct ModuleKeys {
    /// Name, without `.ko`, or the path of a module's directory or of a built module, relative to
    /// the scenario file.
    pub name: String,
    /// Parameters, as on modprobe's command line.
    #[serde(default)]
    pub params: Given<BTreeMap<String, Word>>,
    /// Whether a module that was built from source is unloaded at the end. Default: true.
    #[serde(default)]
    pub unload: Given<bool>,
}

/// Something to put into the guest: a file or directory, or a kernel for a guest of the guest's own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    rename = "File",
    transform = |schema: &mut Schema| one_of(schema, &["from", "kernel"])
)]
pub struct FileKeys {
    /// Path on the host, relative to the scenario file.
    #[serde(default)]
    pub from: Given<String>,
    /// A kernel, as `-k` names it. Its image becomes `TO/boot/vmlinuz-RELEASE`, and the modules that
    /// a guest needs to answer go to `TO/lib/modules/RELEASE`.
    #[serde(default)]
    pub kernel: Given<String>,
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

/// Delays of vCPUs against each other. Times are drawn from 0 to twice what is stated.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Perturb")]
pub struct PerturbKeys {
    /// Time between two delays, on average. Default: `1ms`.
    pub every: Given<Text<Time>>,
    /// How long a vCPU is held, on average. Default: `3ms`.
    pub hold: Given<Text<Time>>,
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
