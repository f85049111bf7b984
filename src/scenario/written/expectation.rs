//! Expectations as a file states them.

use schemars::{JsonSchema, Schema};
use serde::Deserialize;

use super::constraint::{one_of, only_with};
use super::{Given, Placed, Text};
use crate::scenario::model::{Cel, Count, KindName, Pattern, Signal, Stopped, Taint};

/// The keys that say what must be true; each expectation has exactly one of them.
pub const FORMS: [&str; 11] = [
    "report",
    "console",
    "no_console",
    "no_reports",
    "exit",
    "stdout",
    "stderr",
    "signal",
    "taint",
    "stopped",
    "cel",
];

/// The keys that say which reports are meant, and go with `report` only.
pub const OF_REPORT: [&str; 3] = ["where", "count", "function"];

/// Something that must be true: exactly one form, and why it matters. A plain string is `cel`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Expectation", transform = constraints)]
pub struct ExpectationKeys {
    /// Why it matters; printed when it does not hold.
    pub because: Given<String>,

    /// The kernel printed a report of this kind (`lockdep` stands for every `lockdep.…` too). The
    /// report is then asked for, and does not fail the scenario; nor does the machine's stop, if
    /// it is a panic.
    pub report: Given<Text<KindName>>,
    /// For `report`: CEL over `report`, which must hold for the reports that count.
    #[serde(rename = "where")]
    pub condition: Given<Text<Cel>>,
    /// For `report`: how many there must be, as `2`, `>=1` or `<=3`. Default: `>=1`.
    pub count: Given<Text<Count>>,
    /// For `report`: pattern that the report's function must match in full.
    pub function: Given<Text<Pattern>>,

    /// A regular expression that the console must match, line by line (`^` and `$` are the ends
    /// of a line).
    pub console: Given<Text<Pattern>>,
    /// A regular expression that no line of the console may match.
    pub no_console: Given<Text<Pattern>>,
    /// That there is no kernel report that was not asked for: always so, and stated for people.
    pub no_reports: Given<Placed<bool>>,
    /// Exit status of the step's program. Of a spawned program it is stated in the `wait` step.
    pub exit: Given<i32>,
    /// A regular expression that the standard output of the step's program must match.
    pub stdout: Given<Text<Pattern>>,
    /// A regular expression that the standard error of the step's program must match.
    pub stderr: Given<Text<Pattern>>,
    /// Signal that ended the step's program: name or number. Of a spawned program it is stated in
    /// the `wait` step.
    pub signal: Given<Text<Signal>>,
    /// Taint flags of the kernel at the end, exactly: letters such as `WO`, or `none`.
    pub taint: Given<Text<Taint>>,
    /// How the machine stopped, before the harness asked it to.
    pub stopped: Given<Stopped>,
    /// An expression in CEL.
    pub cel: Given<Text<Cel>>,
}

fn constraints(schema: &mut Schema) {
    one_of(schema, &FORMS);
    only_with(schema, &OF_REPORT, "report");
}
