//! From text to keys, within a budget.

use std::sync::Arc;

use serde_saphyr::{Error, Options};

use super::problem::Problem;
use super::source::Source;
use super::suggest::nearest;
use super::written::ScenarioKeys;

/// Nesting deeper than any key needs is an attack or a mistake.
const MOST_DEPTH: usize = 32;
/// Nodes of a large scenario, with room.
const MOST_NODES: usize = 100_000;
/// Events that aliases may replay: enough for shared step lists, too few for an alias bomb.
const MOST_REPLAYED: usize = 100_000;

/// The keys of `source`.
///
/// # Errors
/// The first thing that is no YAML, or no key or type of a scenario.
pub fn parse(source: &Arc<Source>) -> Result<ScenarioKeys, Box<Problem>> {
    let keys = serde_saphyr::from_str_with_options::<Option<ScenarioKeys>>(&source.text, options())
        .map_err(|error| problem(source, &error))?;
    keys.ok_or_else(|| {
        Box::new(Problem {
            file: Arc::clone(source),
            place: Some(super::Place { line: 1, column: 1, length: 0 }),
            message: "the file states nothing".to_owned(),
            help: Some("a scenario has at least `steps` or `expect`".to_owned()),
        })
    })
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MOST_DEPTH,
            max_nodes: MOST_NODES,
            max_events: 4 * MOST_NODES,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MOST_REPLAYED,
            max_replay_stack_depth: MOST_DEPTH,
            max_alias_expansions_per_anchor: 1000,
        },
        strict_booleans: true,
        with_snippet: false,
    }
}

fn problem(source: &Arc<Source>, error: &Error) -> Box<Problem> {
    let (message, help) = explain(error.without_snippet());
    Box::new(Problem {
        file: Arc::clone(source),
        place: error.location().map(Into::into),
        message,
        help,
    })
}

/// The parser's error in the words of scenario files: what is wrong, and what to do.
fn explain(error: &Error) -> (String, Option<String>) {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            (format!("unknown key `{field}`"), Some(known(field, expected)))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            (format!("unknown value `{variant}`"), Some(known(variant, expected)))
        }
        Error::SerdeMissingField { field, .. } => (format!("the key `{field}` is missing"), None),
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().map_or_else(String::new, |key| format!(" `{key}`"));
            (format!("the key{key} is given twice"), Some("keep one of the two".to_owned()))
        }
        Error::MultipleDocuments { .. } => (
            "a second YAML document begins here".to_owned(),
            Some("a file holds one scenario: put each into a file of its own".to_owned()),
        ),
        Error::InvalidBooleanStrict { .. } => {
            ("not a boolean".to_owned(), Some("write `true` or `false`".to_owned()))
        }
        other => (without_place(other), None),
    }
}

fn known(word: &str, expected: &[&'static str]) -> String {
    let all = format!("known here: {}", expected.join(", "));
    match nearest(word, expected.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? {all}"),
        None => all,
    }
}

/// The parser's own words; the place, which they end with, is told apart from them.
fn without_place(error: &Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
