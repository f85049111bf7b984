//! What a scenario needs of the kernel and the machine.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use super::{Arch, Board};
use crate::scenario::units::Size;

/// What the kernel and the machine must have; unmet, the scenario is skipped.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Requires {
    /// Kernel options.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config: Vec<ConfigNeed>,
    /// Architectures; any where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arch: Vec<Arch>,
    /// Boards; any machine where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub board: Vec<Board>,
    /// Kernel version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<KernelNeed>,
    /// The least number of CPUs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u32>,
    /// The least memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Size>,
}

impl Requires {
    /// Whether anything will do.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A kernel option that must have, or must not have, a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigNeed {
    /// Full name, such as `CONFIG_MEMCG`.
    pub name: String,
    /// What it must be.
    pub value: ConfigValue,
}

/// What a kernel option must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigValue {
    /// `y` or `m`: written without a value.
    On,
    /// Not set: written `=n`.
    Off,
    /// Exactly this text, such as `y`, `m`, `250`, or a quoted string.
    Is(String),
}

impl FromStr for ConfigNeed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = match text.split_once('=') {
            None => (text, ConfigValue::On),
            Some((name, "n")) => (name, ConfigValue::Off),
            Some((name, value)) => (name, ConfigValue::Is(value.to_owned())),
        };
        let symbol = name.strip_prefix("CONFIG_").unwrap_or_default();
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if symbol.is_empty() || !symbol.chars().all(good) || value == ConfigValue::Is(String::new())
        {
            return Err(format!(
                "`{text}` is not a kernel option: write `CONFIG_NAME`, `CONFIG_NAME=y` or `CONFIG_NAME=n`"
            ));
        }
        Ok(Self { name: name.to_owned(), value })
    }
}

impl fmt::Display for ConfigNeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            ConfigValue::On => f.write_str(&self.name),
            ConfigValue::Off => write!(f, "{}=n", self.name),
            ConfigValue::Is(value) => write!(f, "{}={value}", self.name),
        }
    }
}

impl Serialize for ConfigNeed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for ConfigNeed {
    fn schema_name() -> Cow<'static, str> {
        "ConfigNeed".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A kernel option: `CONFIG_NAME` (y or m), `CONFIG_NAME=y`, `CONFIG_NAME=n`.",
            "pattern": "^CONFIG_[A-Za-z0-9_]+(=.+)?$",
        })
    }
}

/// Comparisons that a kernel's version must satisfy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelNeed(pub semver::VersionReq);

impl FromStr for KernelNeed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Cargo's reading of a bare version, "compatible with", has no meaning for kernels.
        if !text.split(',').all(|part| part.trim_start().starts_with(['<', '>', '='])) {
            return Err(format!(
                "`{text}` does not compare: write `>=6.6`, `<6.12`, `=6.1`, or several with commas"
            ));
        }
        semver::VersionReq::parse(text)
            .map(Self)
            .map_err(|why| format!("`{text}` is not a kernel version: {why}; write `>=6.6`"))
    }
}

impl Serialize for KernelNeed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl JsonSchema for KernelNeed {
    fn schema_name() -> Cow<'static, str> {
        "KernelNeed".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Comparisons of the kernel version, joined by commas: `>=6.6, <6.12`.",
            "pattern": "^ *[<>=].*$",
        })
    }
}
