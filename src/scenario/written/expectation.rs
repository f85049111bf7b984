//! Expectations as a file states them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Placed, Text};
use crate::scenario::model::{Cel, Count, Pattern, Signal, Stopped, Taint};

/// Something that must be true: exactly one form, and why it matters. A plain string is `cel`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Expectation")]
pub struct ExpectationKeys {
    /// Why it matters; printed when it does not hold.
    pub because: Option<String>,

    /// The kernel printed a report of this kind (`lockdep` stands for every `lockdep.…` too). The
    /// report is then asked for, and does not fail the scenario; nor does the machine's stop, if
    /// it is a panic.
    pub report: Option<Text<String>>,
    /// For `report`: CEL over `report`, which must hold for the reports that count.
    #[serde(rename = "where")]
    pub condition: Option<Text<Cel>>,
    /// For `report`: how many there must be, as `2`, `>=1` or `<=3`. Default: `>=1`.
    pub count: Option<Text<Count>>,
    /// For `report`: pattern that the report's function must match in full.
    pub function: Option<Text<Pattern>>,

    /// A regular expression that the console must match, line by line (`^` and `$` are the ends
    /// of a line).
    pub console: Option<Text<Pattern>>,
    /// A regular expression that no line of the console may match.
    pub no_console: Option<Text<Pattern>>,
    /// That there is no kernel report that was not asked for: always so, and stated for people.
    pub no_reports: Option<Placed<bool>>,
    /// Exit status of the step's program.
    pub exit: Option<i32>,
    /// A regular expression that the step's standard output must match.
    pub stdout: Option<Text<Pattern>>,
    /// A regular expression that the step's standard error must match.
    pub stderr: Option<Text<Pattern>>,
    /// Signal that ended the step's program: name or number.
    pub signal: Option<Text<Signal>>,
    /// Taint flags of the kernel at the end, exactly: letters such as `WO`, or `none`.
    pub taint: Option<Text<Taint>>,
    /// How the machine stopped, before the harness asked it to.
    pub stopped: Option<Stopped>,
    /// An expression in CEL.
    pub cel: Option<Text<Cel>>,
}
