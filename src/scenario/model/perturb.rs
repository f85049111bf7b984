//! What makes a copy of a guest differ from its siblings: its clock, and delays of its vCPUs.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::scenario::units::Time;

/// Delays of vCPUs against each other, by the seed of the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Perturb {
    /// Time between two delays, on average.
    pub every: Time,
    /// How long a vCPU is held, on average.
    pub hold: Time,
}

impl Default for Perturb {
    fn default() -> Self {
        let milliseconds = |count| Time(Duration::from_millis(count));
        Self { every: milliseconds(1), hold: milliseconds(3) }
    }
}

/// The guest's wall clock at the first step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Clock {
    /// The host's.
    #[default]
    Host,
    /// What it was when the guest had booted, also in copies that are made later.
    Boot,
    /// A stated time.
    At(DateTime<Utc>),
}

impl FromStr for Clock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "host" => Ok(Self::Host),
            "boot" => Ok(Self::Boot),
            _ => match DateTime::parse_from_rfc3339(text) {
                Ok(time) if time.timestamp() >= 0 => Ok(Self::At(time.into())),
                _ => Err(format!(
                    "`{text}` is not a clock: write `host`, `boot`, or a time since 1970 such as `2030-01-31T12:00:00Z`"
                )),
            },
        }
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Boot => f.write_str("boot"),
            Self::At(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}

impl Serialize for Clock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Clock {
    fn schema_name() -> Cow<'static, str> {
        "Clock".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{ "enum": ["host", "boot"] }, { "type": "string", "format": "date-time" }],
            "description": "`host`, `boot`, or a time: `2030-01-31T12:00:00Z`.",
        })
    }
}
