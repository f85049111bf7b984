//! What must be true.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use super::{Cel, Signal, Taint};
use crate::scenario::source::Place;

/// Something that must be true of a step or of a whole scenario.
#[derive(Debug, Clone, Serialize)]
pub struct Expectation {
    /// What must be true.
    #[serde(flatten)]
    pub form: Form,
    /// Why it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Where it stands in the file.
    #[serde(skip)]
    pub place: Place,
}

/// The forms of an expectation.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A line of the console matches.
    Console(Pattern),
    /// No line of the console matches.
    NoConsole(Pattern),
    /// There is no report that was not asked for. Always so; here it is stated.
    NoReports(bool),
    /// The program of the step exited with this status.
    Exit(i32),
    /// The program of the step wrote this to its standard output.
    Stdout(Pattern),
    /// The program of the step wrote this to its standard error.
    Stderr(Pattern),
    /// The program of the step was ended by this signal.
    Signal(Signal),
    /// The kernel has exactly these taint flags.
    Taint(Taint),
    /// The machine stopped by itself, in this way.
    Stopped(Stopped),
    /// The expression is true.
    Cel(Cel),
    /// The kernel printed such reports, and they are asked for.
    #[serde(untagged)]
    Report(ReportMatch),
}

/// Which reports are meant, and how many of them there must be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportMatch {
    /// Kind, or the first parts of kinds: `lockdep` stands for every `lockdep.…` too.
    #[serde(rename = "report")]
    pub kind: String,
    /// CEL over `report`.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Cel>,
    /// Pattern that the function must match in full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<Pattern>,
    /// How many there must be.
    pub count: Count,
}

/// How a machine may stop by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stopped {
    /// The kernel panicked.
    Panic,
    /// It switched itself off.
    PowerOff,
    /// It asked for a reset.
    Reset,
    /// A triple fault.
    TripleFault,
}

/// How many there must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The fewest.
    pub least: u64,
    /// The most.
    pub most: u64,
}

impl Default for Count {
    fn default() -> Self {
        Self { least: 1, most: u64::MAX }
    }
}

impl Count {
    /// Whether `count` is right.
    pub fn holds(&self, count: u64) -> bool {
        (self.least..=self.most).contains(&count)
    }
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let operator = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
        let number = text[operator..].parse::<u64>().ok();
        let (least, most) = match (text[..operator].trim(), number) {
            ("" | "=", Some(count)) => (count, count),
            (">=", Some(count)) => (count, u64::MAX),
            ("<=", Some(count)) => (0, count),
            _ => return Err(format!("`{text}` is not a count: write `2`, `>=1` or `<=3`")),
        };
        Ok(Self { least, most })
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (least, most) if least == most => least.fmt(f),
            (least, u64::MAX) => write!(f, ">={least}"),
            (_, most) => write!(f, "<={most}"),
        }
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Count {
    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A count: `2`, `>=1`, `<=3`.",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^(>=|<=|=)? *[0-9]+$" },
            ],
        })
    }
}

/// Bytes that a compiled pattern may take: a pattern is a line in a file, not a program.
const PATTERN_BUDGET: usize = 1 << 20;

/// A regular expression (crate `regex`); `^` and `$` are the ends of lines.
#[derive(Debug, Clone)]
pub struct Pattern(pub regex::Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        regex::RegexBuilder::new(text)
            .multi_line(true)
            .size_limit(PATTERN_BUDGET)
            .build()
            .map(Self)
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => {
                    format!("the pattern `{text}` is too large; repeat less")
                }
                error => {
                    // The crate draws the pattern first; our own messages point into the file.
                    let text = error.to_string();
                    let why = text.lines().last().unwrap_or_default();
                    format!("not a regular expression: {}", why.trim_start_matches("error: "))
                }
            })
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl JsonSchema for Pattern {
    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "regex",
            "description": "A regular expression; `^` and `$` are the ends of lines.",
        })
    }
}
