//! `WARN`, `BUG`, Rust panics (`kernel/panic.c`, `lib/bug.c`, `rust/kernel/lib.rs`), and what is left over.

use super::text::{between, canonical, function, word};
use super::{Headline, Rank, Recipe};
use crate::Kind;

pub(super) fn detect(message: &str) -> Option<Headline> {
    old_warning(message)
        .or_else(|| new_warning(message))
        .or_else(|| bug_on(message))
        .or_else(|| rust_panic(message))
        .or_else(|| unknown_bug(message))
}

fn warning(symbol: Option<&str>) -> Headline {
    Headline::new(Kind::new("warning"), "WARNING").function(symbol.and_then(function))
}

/// `WARNING: CPU: 1 PID: 42 at file:line f+0x1/0x2`, or `… at f+0x1/0x2`; before 3.12 `WARNING: at file:line f()`.
fn old_warning(message: &str) -> Option<Headline> {
    let rest = message.strip_prefix("WARNING: ")?;
    let at = match rest.strip_prefix("CPU: ") {
        Some(ids) => between(ids, "PID: ", " at ").and_then(|_| ids.split_once(" at "))?.1,
        None => rest.strip_prefix("at ")?,
    };
    Some(warning(
        at.split_whitespace()
            .find(|word| word.contains("+0x"))
            .or_else(|| at.split_whitespace().nth(1)),
    ))
}

/// Since 6.19: `WARNING: file:line at f+0x1/0x2, CPU#1: comm/42`, or `WARNING: at f+0x1/0x2, CPU#1: comm/42`;
/// with `CONFIG_DEBUG_BUGVERBOSE_DETAILED` `[condition] ` stands before the file.
fn new_warning(message: &str) -> Option<Headline> {
    let rest = message.strip_prefix("WARNING: ")?;
    let (place, _) = rest.split_once(", CPU#")?;
    let symbol = place.rsplit_once("at ").map(|(_, symbol)| word(symbol))?;
    Some(warning(Some(symbol)))
}

/// `kernel BUG at file:line!`, `kernel BUG at f+0x1/0x2 [verbose debug info unavailable]`.
fn bug_on(message: &str) -> Option<Headline> {
    let place = message
        .strip_prefix("kernel BUG at ")
        .or_else(|| message.strip_prefix("Kernel BUG at "))?;
    Some(
        Headline::new(Kind::new("bug"), "kernel BUG")
            .recipe(Recipe::Exception)
            .function_hint(word(place)),
    )
}

/// `rust_kernel: panicked at file:line:col:`; the prefix is the kernel crate's, whichever module panicked.
fn rust_panic(message: &str) -> Option<Headline> {
    let panicked = message.starts_with("rust_kernel: panicked at");
    panicked.then(|| {
        Headline::new(Kind::new("rust.panic"), "Rust panic")
            .recipe(Recipe::Exception)
            .rank(Rank::Lead)
    })
}

/// A `BUG:` or `WARNING:` that nothing above knows: believed only with a stack behind it.
fn unknown_bug(message: &str) -> Option<Headline> {
    let (kind, body) = match message.split_once(": ")? {
        ("BUG", body) => ("bug.other", body),
        ("WARNING", body) => ("warning.other", body),
        _ => return None,
    };
    let title = canonical(message);
    (!body.trim().is_empty())
        .then(|| Headline::new(Kind::new(kind), title).rank(Rank::Main).if_proved())
}
