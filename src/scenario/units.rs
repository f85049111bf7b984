//! Times and sizes. Both must be written with a unit.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

/// What is wrong with a time or a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// A bare number.
    #[error("`{number}` has no unit: write `{example}`")]
    NoUnit {
        /// What was written.
        number: String,
        /// How it might have been meant.
        example: String,
    },
    /// A decimal unit of memory.
    #[error("`{unit}` is not a unit of memory here: write `{number}{binary}`")]
    DecimalUnit {
        /// The unit that was written.
        unit: String,
        /// The number before it.
        number: String,
        /// The unit that memory is counted in.
        binary: String,
    },
    /// Not a time.
    #[error(
        "`{text}` is not a time: {why}; write a number and its unit, such as `500ms`, `30s` or `2m`"
    )]
    Time {
        /// What was written.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// Not a size.
    #[error(
        "`{text}` is not a size: write a whole number and its unit (B, KiB, MiB, GiB), such as `256MiB`"
    )]
    Size {
        /// What was written.
        text: String,
    },
    /// More bytes than there are.
    #[error("`{text}` is more than any machine has: 64 bits count its bytes")]
    TooLarge {
        /// What was written.
        text: String,
    },
}

/// A span of time, such as `30s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

impl Time {
    /// `count` seconds.
    pub const fn seconds(count: u64) -> Self {
        Self(Duration::from_secs(count))
    }
}

impl FromStr for Time {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        // humantime takes a bare zero; with us every time has a unit.
        if is_number(text) {
            return Err(no_unit(text, &format!("{text}s")));
        }
        humantime::parse_duration(text)
            .map(Self)
            .map_err(|why| UnitError::Time { text: text.to_owned(), why: why.to_string() })
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A time with its unit: `500ms`, `30s`, `2m`, `1h 30m`.",
            "pattern": r"^([0-9]+ *[a-zµ]+ *)+$",
            "examples": ["30s", "500ms"],
        })
    }
}

/// A number of bytes, such as `256MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Units of memory, the largest first, and the power of two that each stands for.
const UNITS: [(&str, u32); 5] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];

impl Size {
    /// `count` MiB.
    pub const fn mebibytes(count: u64) -> Self {
        Self(count << 20)
    }
}

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = (&text[..digits], text[digits..].trim_start());
        if unit.is_empty() && !number.is_empty() {
            return Err(no_unit(number, &format!("{number}MiB")));
        }
        let shift =
            shift_of(number, unit).ok_or_else(|| UnitError::Size { text: text.to_owned() })??;
        number
            .parse::<u64>()
            .ok()
            .and_then(|count| count.checked_mul(1 << shift))
            .map(Self)
            .ok_or_else(|| UnitError::TooLarge { text: text.to_owned() })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, shift) = UNITS
            .into_iter()
            .find(|(_, shift)| self.0 != 0 && self.0.trailing_zeros() >= *shift)
            .unwrap_or(("B", 0));
        write!(f, "{}{unit}", self.0 >> shift)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A number of bytes with its unit: `4KiB`, `256MiB`, `2GiB`.",
            "pattern": "^[0-9]+ *(B|KiB|MiB|GiB|TiB)$",
            "examples": ["256MiB"],
        })
    }
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

fn no_unit(number: &str, example: &str) -> UnitError {
    UnitError::NoUnit { number: number.to_owned(), example: example.to_owned() }
}

/// The power of two of `unit`; none if it is no unit at all.
fn shift_of(number: &str, unit: &str) -> Option<Result<u32, UnitError>> {
    if number.is_empty() {
        return None;
    }
    if let Some((_, shift)) = UNITS.into_iter().find(|(name, _)| *name == unit) {
        return Some(Ok(shift));
    }
    let meant = unit.chars().next()?.to_ascii_uppercase();
    let (binary, _) = UNITS.into_iter().find(|(name, _)| name.starts_with(meant))?;
    let decimal = ["b", "k", "m", "g", "t", "kb", "mb", "gb", "tb", "kib", "mib", "gib", "tib"];
    decimal.contains(&unit.to_ascii_lowercase().as_str()).then(|| {
        Err(UnitError::DecimalUnit {
            unit: unit.to_owned(),
            number: number.to_owned(),
            binary: binary.to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_printed_in_its_largest_whole_unit_and_read_back() {
        for (text, bytes) in [("4KiB", 4096), ("256MiB", 256 << 20), ("1GiB", 1 << 30), ("7B", 7)] {
            assert_eq!(text.parse(), Ok(Size(bytes)));
            assert_eq!(Size(bytes).to_string(), text);
        }
        assert_eq!("1536 MiB".parse::<Size>().unwrap().to_string(), "1536MiB");
    }

    #[test]
    fn a_size_without_a_binary_unit_is_refused_with_what_was_meant() {
        let told = |text: &str| text.parse::<Size>().unwrap_err().to_string();
        assert_eq!(told("256"), "`256` has no unit: write `256MiB`");
        assert_eq!(told("2g"), "`g` is not a unit of memory here: write `2GiB`");
        for text in ["", "MiB", "1.5GiB", "-1MiB", "1 parsec", "1мib"] {
            assert_eq!(text.parse::<Size>(), Err(UnitError::Size { text: text.to_owned() }));
        }
        assert!(matches!("16777216TiB".parse::<Size>(), Err(UnitError::TooLarge { .. })));
    }

    #[test]
    fn a_time_has_a_unit_too() {
        assert_eq!("1m 30s".parse(), Ok(Time::seconds(90)));
        assert_eq!(Time::seconds(90).to_string(), "1m 30s");
        for text in ["0", "30", "1.5", "-3"] {
            assert!(matches!(text.parse::<Time>(), Err(UnitError::NoUnit { .. })), "{text}");
        }
        assert!(matches!("soon".parse::<Time>(), Err(UnitError::Time { .. })));
    }
}
