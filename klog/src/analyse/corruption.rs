//! Whether parts of a report are missing or mixed up.

use super::stacks::Trace;
use crate::assemble::Draft;
use crate::detect::{Headline, Recipe};

/// Lines behind `Call Trace:` among which a frame must come.
const PATIENCE: usize = 15;

/// What is wrong with the report, if anything is.
pub(super) fn find(
    draft: &Draft,
    headline: &Headline,
    traces: &[Trace],
    function: Option<&str>,
) -> Option<String> {
    let wants_function = headline.recipe != Recipe::Nobody;
    let stackless = !traces.iter().any(|trace| !trace.stack.frames.is_empty());
    match () {
        () if draft.cut => Some("longer than what is kept of a report".to_owned()),
        () if wants_function && stackless && function.is_none() => {
            Some("no stack trace".to_owned())
        }
        () if wants_function && function.is_none() => {
            Some("no function to blame in the stack trace".to_owned())
        }
        () => broken_trace(draft).or_else(|| mixed(draft)),
    }
}

/// A trace's header without a frame behind it.
fn broken_trace(draft: &Draft) -> Option<String> {
    let header = |text: &str| {
        matches!(
            text.trim(),
            "Call Trace:" | "Call trace:" | "backtrace:" | "stack backtrace:" | "Backtrace:"
        )
    };
    let at = draft.lines.iter().position(|line| header(&line.text))?;
    let behind = draft.lines[at + 1..].iter().take(PATIENCE);
    let framed = behind.clone().any(|line| {
        super::frame::parse(&line.text).is_some()
            || super::machine::instruction_pointer(&line.text).is_some()
    });
    (!framed).then(|| format!("no frame behind `{}`", draft.lines[at].text.trim()))
}

/// A prefix in the middle of a line: two messages were written at once.
fn mixed(draft: &Draft) -> Option<String> {
    let stamp = |text: &str| {
        text.split_once("[ ").is_some_and(|(_, rest)| {
            rest.split_once(']').is_some_and(|(inner, _)| {
                inner.trim().split_once('.').is_some_and(|(seconds, micros)| {
                    micros.len() == 6
                        && seconds.bytes().chain(micros.bytes()).all(|byte| byte.is_ascii_digit())
                })
            })
        })
    };
    let line = draft.lines.iter().find(|line| line.headline.is_some() && stamp(&line.text))?;
    Some(format!("a time stamp inside `{}`", line.text.trim()))
}
