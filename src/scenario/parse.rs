//! From text to keys, within a budget.

use std::sync::Arc;

use serde::de::DeserializeOwned;
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
/// Uses of one anchor.
const MOST_ALIASES: usize = 1000;

/// The keys of `source`.
///
/// # Errors
/// The first thing that is no YAML, or no key or type of a scenario.
pub fn parse(source: &Arc<Source>) -> Result<ScenarioKeys, Box<Problem>> {
    parse_as(source)
}

/// As [`parse`], for another kind of file.
///
/// # Errors
/// As [`parse`].
pub fn parse_as<T: DeserializeOwned>(source: &Arc<Source>) -> Result<T, Box<Problem>> {
    serde_saphyr::from_str_with_options(&source.text, options()).map_err(|error| {
        let (message, help) = explain(error.without_snippet());
        Box::new(Problem {
            file: Arc::clone(source),
            place: error.location().map(Into::into),
            message,
            help,
        })
    })
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MOST_DEPTH,
            max_nodes: MOST_NODES,
            max_events: 4 * MOST_NODES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MOST_REPLAYED,
            max_replay_stack_depth: MOST_DEPTH,
            max_alias_expansions_per_anchor: MOST_ALIASES,
        },
        strict_booleans: true,
        with_snippet: false,
    }
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
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().map_or_else(String::new, |key| format!(" `{key}`"));
            (format!("the key{key} is given twice"), help("keep one of the two"))
        }
        Error::MultipleDocuments { .. } => (
            "a second YAML document begins here".to_owned(),
            help("a file holds one scenario: put each into a file of its own"),
        ),
        Error::NullIntoString { .. } => no_value(),
        other => (type_message(other), None),
    }
}

fn type_message(error: &Error) -> String {
    match error {
        Error::SerdeMissingField { field, .. } => format!("the key `{field}` is missing"),
        Error::InvalidBooleanStrict { .. } => "not a boolean: write `true` or `false`".to_owned(),
        Error::InvalidScalar { ty, .. } => match *ty {
            "u32" | "u64" => "not a whole number from 0 on, or too large".to_owned(),
            "i32" => "not a whole number, or too large".to_owned(),
            other => format!("not a value of the type {other}"),
        },
        Error::Unexpected { expected: "sequence start", .. } => {
            "a list is expected here: `[…]`, or lines that begin with `-`".to_owned()
        }
        Error::Unexpected { expected: "mapping start", .. } => {
            "keys with values are expected here: `key: value`".to_owned()
        }
        Error::Unexpected { expected: "string scalar", .. } => {
            "a single value is expected here, not a list or a mapping".to_owned()
        }
        other => without_place(other),
    }
}

fn no_value() -> (String, Option<String>) {
    ("the key has no value".to_owned(), help("give it one, or leave the key out"))
}

fn help(text: &str) -> Option<String> {
    Some(text.to_owned())
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
