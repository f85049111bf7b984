//! The whole of a scenario.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use super::{Action, Clock, Expectation, Machine, Perturb, Requires, Step};
use crate::scenario::source::Place;
use crate::scenario::units::Time;

/// A scenario, checked: ids are unique, references lead somewhere, every default is filled in.
#[derive(Debug, Clone, Serialize)]
pub struct Scenario {
    /// Name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Why it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Words to select it by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What it needs; unmet, it is skipped.
    #[serde(skip_serializing_if = "Requires::is_empty")]
    pub requires: Requires,
    /// Kernel to boot where the command line names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// The scenario and the snapshot that it goes on from; what they bring is in the other fields once the file
    /// is loaded.
    #[serde(skip)]
    pub from: Option<Base>,
    /// How many of the first steps are those of its base.
    #[serde(skip)]
    pub base_steps: usize,
    /// Machine to boot on.
    pub machine: Machine,
    /// Modules to load before the first step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<Module>,
    /// Files to put into the guest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<GuestFile>,
    /// What to do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// What must be true at the end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<Expectation>,
    /// Reports that are known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Allowance>,
    /// Files with more of them, as written; what they hold goes into `allow` when the file is loaded.
    #[serde(skip)]
    pub allow_lists: Vec<AllowList>,
    /// How long each phase may take, on KVM.
    pub timeout: Timeouts,
    /// How often a failure is tried again in a fresh machine.
    pub retries: u32,
    /// How often it is run, each time in a fresh machine; at least 1.
    pub repeat: u32,
    /// Whether it is booted for itself, because the boot is what it tests.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fresh_boot: bool,
    /// Seed of everything random; the run chooses one where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Delays of its vCPUs against each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perturb: Option<Perturb>,
    /// Its wall clock at the first step.
    pub clock: Clock,
    /// It is known to fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xfail: Option<Xfail>,
}

impl Scenario {
    /// The parameters of the module `name`, wherever the scenario loads it.
    pub fn params_of(&mut self, name: &str) -> impl Iterator<Item = &mut BTreeMap<String, String>> {
        let listed = self.modules.iter_mut().filter(move |module| module.name == name);
        let loaded = self.steps.iter_mut().filter_map(move |step| match &mut step.action {
            Action::Load { module, params } if module.replace('-', "_") == name => Some(params),
            _ => None,
        });
        listed.map(|module| &mut module.params).chain(loaded)
    }
}

/// A snapshot of another scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The other scenario's file, relative to this one's, and absolute once that is found.
    pub scenario: PathBuf,
    /// The name of the snapshot.
    pub snapshot: String,
    /// Where the scenario names it.
    pub place: Place,
}

/// A module to load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Module {
    /// Name, without `.ko`.
    pub name: String,
    /// Directory of its source, or a built module, relative to the scenario file; found by its name
    /// where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Parameters.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Whether it is unloaded at the end, if it was built from source.
    pub unload: bool,
    /// Whether it is made of tests, with the parameters of the support crate; known once it is built.
    #[serde(skip)]
    pub suite: bool,
}

/// Something to put into the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum GuestFile {
    /// A program of the host, by name (looked up in `PATH`) or absolute path. It keeps its path
    /// and brings its shared libraries.
    Program(String),
    /// A kernel for a guest of the guest's own.
    Kernel {
        /// As `-k` names it.
        kernel: String,
        /// Absolute path in the guest, of the directory that gets `boot` and `lib/modules`.
        to: String,
    },
    /// A file, as it is.
    File {
        /// Path on the host: absolute, or relative to the directory of the scenario file.
        from: PathBuf,
        /// Absolute path in the guest.
        to: String,
        /// Permission bits; those of the host's file where there are none.
        #[serde(skip_serializing_if = "Option::is_none")]
        mode: Option<FileMode>,
    },
}

/// A file of known kernel reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowList {
    /// Its path, relative to the scenario file.
    pub path: PathBuf,
    /// Where the scenario names it.
    pub place: Place,
}

/// A known kernel report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Allowance {
    /// Kind, or the first parts of kinds.
    pub report: String,
    /// Function that the report must name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Why it is known and not fixed.
    pub reason: String,
    /// Where it is followed up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Last day on which it is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// The shared file that it is from; none for an entry of the scenario itself.
    #[serde(skip)]
    pub file: Option<String>,
}

/// How long each phase may take, on KVM; emulation scales them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Timeouts {
    /// From power-on until the agent answers.
    pub boot: Time,
    /// A step without a timeout of its own.
    pub step: Time,
    /// Without any sign of life of the guest.
    pub quiet: Time,
    /// Everything together.
    pub total: Time,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            boot: Time::seconds(30),
            step: Time::seconds(30),
            quiet: Time::seconds(30),
            total: Time::seconds(300),
        }
    }
}

/// A known failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Xfail {
    /// Why it fails.
    pub reason: String,
    /// Whether passing all the same fails the run.
    pub strict: bool,
}

/// Permission bits of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl FromStr for FileMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        u32::from_str_radix(text, 8)
            .ok()
            .filter(|mode| *mode <= 0o7777 && text.starts_with('0'))
            .map(Self)
            .ok_or_else(|| {
                format!(
                    "`{text}` is not a file mode: write octal digits after a 0, such as \"0755\""
                )
            })
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl Serialize for FileMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for FileMode {
    fn schema_name() -> Cow<'static, str> {
        "FileMode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Permission bits in octal, quoted: `\"0755\"`.",
            "pattern": "^0[0-7]{1,4}$",
        })
    }
}

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(pub chrono::NaiveDate);

impl FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .map(Self)
            .map_err(|why| format!("`{text}` is not a day: {why}; write it as 2026-12-31"))
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl JsonSchema for Date {
    fn schema_name() -> Cow<'static, str> {
        "Date".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date", "description": "A day: `2026-12-31`." })
    }
}
