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
    // A panic says what is wrong by itself.
    let wants_function = headline.recipe != Recipe::Nobody && headline.kind.as_str() != "panic";
    let stackless =
        traces.iter().all(|trace| trace.stack.frames.is_empty() && trace.pointer.is_none());
    // The lines of locks name functions too, and a stack does not follow every one.
    let placed = headline.recipe == Recipe::Acquirer && function.is_some();
    match () {
        () if draft.cut => Some("longer than what is kept of a report".to_owned()),
        () if headline.title.ends_with(": corrupted") => {
            Some("nothing behind the headline".to_owned())
        }
        () if wants_function && stackless && !placed => Some("no stack trace".to_owned()),
        () if wants_function && function.is_none() => {
            Some("no function to blame in the stack trace".to_owned())
        }
        () => broken_trace(draft).or_else(|| mixed(draft)),
    }
}

/// A trace's header without a frame behind it.
fn broken_trace(draft: &Draft) -> Option<String> {
    let mut headers =
        draft.lines.iter().enumerate().filter(|(_, line)| is_header(line.text.trim()));
    let (_, line) = headers.find(|&(at, _)| {
        let behind = draft.lines[at + 1..].iter().take(PATIENCE);
        // A processor that ran a program has an empty stack, which ends with a mark.
        !behind.clone().any(|line| is_framed(&line.text) || line.text.trim() == "</TASK>")
    })?;
    Some(format!("no frame behind `{}`", line.text.trim()))
}

fn is_header(text: &str) -> bool {
    const HEADERS: [&str; 7] = [
        "Call Trace:",
        "Call trace:",
        "backtrace:",
        "stack backtrace:",
        "Backtrace:",
        "Allocated:",
        "Freed:",
    ];
    HEADERS.contains(&text)
        || text.starts_with("Allocated by task ")
        || text.starts_with("Freed by task ")
}

/// Whether a line shows a frame, or says why there is none.
fn is_framed(text: &str) -> bool {
    super::frame::parse(text).is_some()
        || super::machine::instruction_pointer(text).is_some()
        || text.contains("stack is not available")
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
