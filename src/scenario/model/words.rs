//! Words with a meaning to the kernel: signals and taint flags.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

/// A signal, by its number on x86-64 and arm64 (signal(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal(pub i32);

/// Names of signal(7), in the order of their numbers, from 1.
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// The last real-time signal.
const LAST_SIGNAL: i32 = 64;

impl Signal {
    /// The polite way to end a program.
    pub const TERM: Self = Self(15);
}

impl FromStr for Signal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix("SIG").unwrap_or(text);
        let named = (1..).zip(SIGNALS).find(|(_, name)| *name == bare);
        named
            .map(|(number, _)| number)
            .or_else(|| text.parse().ok().filter(|number| (1..=LAST_SIGNAL).contains(number)))
            .map(Self)
            .ok_or_else(|| {
                format!("`{text}` is not a signal: write a name such as `KILL`, or a number from 1 to {LAST_SIGNAL}")
            })
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (1..).zip(SIGNALS).find(|(number, _)| *number == self.0) {
            Some((_, name)) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}

impl Serialize for Signal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Signal {
    fn schema_name() -> Cow<'static, str> {
        "Signal".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A signal: its name, with or without `SIG`, or its number.",
            "anyOf": [
                { "type": "string", "pattern": "^((SIG)?[A-Z][A-Z0-9]+|[0-9]+)$" },
                { "type": "integer", "minimum": 1, "maximum": LAST_SIGNAL },
            ],
        })
    }
}

/// Taint flags, as the bits of `/proc/sys/kernel/tainted`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taint(pub u64);

/// Letters of the flags, from bit 0 (Documentation/admin-guide/tainted-kernels.rst).
const LETTERS: &str = "PFSRMBUDAWCIOELKXTNJ";

impl FromStr for Taint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(0));
        }
        let bit = |letter: char| LETTERS.find(letter).map(|bit| 1_u64 << bit);
        text.chars()
            .map(bit)
            .try_fold(0, |bits, flag| flag.map(|flag| bits | flag))
            .filter(|bits| *bits != 0)
            .map(Self)
            .ok_or_else(|| {
                format!("`{text}` are not taint flags: write letters of {LETTERS}, or `none`")
            })
    }
}

impl fmt::Display for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("none");
        }
        (0..)
            .zip(LETTERS.chars())
            .filter(|(bit, _)| self.0 & (1_u64 << bit) != 0)
            .try_for_each(|(_, letter)| write!(f, "{letter}"))
    }
}

impl Serialize for Taint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Taint {
    fn schema_name() -> Cow<'static, str> {
        "Taint".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Taint flags: letters such as `WO`, or `none`.",
            "pattern": format!("^([{LETTERS}]+|none)$"),
        })
    }
}
