//! Words with a meaning of their own: signals, taint flags, kinds of reports.

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

/// Name of a kind of kernel reports, or the first parts of it: `lockdep`, `lockdep.circular`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindName(pub String);

impl FromStr for KindName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.split('.').all(|part| !part.is_empty() && part.chars().all(good)) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("`{text}` is not a kind of reports: write one such as `lockdep.circular`"))
    }
}

impl JsonSchema for KindName {
    fn schema_name() -> Cow<'static, str> {
        "KindName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A kind of kernel reports: `lockdep.circular`, or `lockdep` for all of its kinds.",
            "pattern": r"^[a-z0-9-]+(\.[a-z0-9-]+)*$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_a_name_and_a_number() {
        for text in ["KILL", "SIGKILL", "9"] {
            assert_eq!(text.parse(), Ok(Signal(9)));
        }
        assert_eq!(Signal(9).to_string(), "KILL");
        assert_eq!(Signal(34).to_string(), "34");
        assert_eq!("SYS".parse(), Ok(Signal(31)));
        for text in ["0", "65", "kill", "-9", ""] {
            assert!(text.parse::<Signal>().is_err(), "{text}");
        }
    }

    #[test]
    fn taint_flags_have_the_kernels_letters() {
        assert_eq!("W".parse(), Ok(Taint(1 << 9)));
        assert_eq!("OE".parse(), Ok(Taint(1 << 12 | 1 << 13)));
        assert_eq!(Taint(1 << 13 | 1 << 12).to_string(), "OE");
        assert_eq!("none".parse(), Ok(Taint(0)));
        assert!("".parse::<Taint>().is_err() && "w".parse::<Taint>().is_err());
    }

    #[test]
    fn kinds_are_dotted_words() {
        assert!("kasan.slab-use-after-free".parse::<KindName>().is_ok());
        for text in ["", ".", "a.", "BUG: x", "a b"] {
            assert!(text.parse::<KindName>().is_err(), "{text}");
        }
    }
}
