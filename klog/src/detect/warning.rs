//! `WARN`, `BUG`, Rust panics (`kernel/panic.c`, `lib/bug.c`, `rust/kernel/lib.rs`), and what is left over.

use super::text::{between, canonical, function, word};
use super::{Headline, Rank, Recipe};
use crate::Kind;

pub(super) fn detect(message: &str) -> Option<Headline> {
    old_warning(message)
        .or_else(|| new_warning(message))
        .or_else(|| unwinder(message))
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

/// Complaints of the unwinders (`arch/x86/kernel/unwind_*.c`), which often stand in another report.
const UNWINDER: [(&str, &str); 7] = [
    ("kernel stack regs at", "WARNING: kernel stack regs has bad 'bp' value"),
    ("kernel stack frame pointer at", "WARNING: kernel stack frame pointer has bad value"),
    ("can't access registers at", "WARNING: can't access registers"),
    ("can't dereference registers at", "WARNING: can't dereference registers"),
    ("can't dereference iret registers at", "WARNING: can't dereference iret registers"),
    ("stack going in the wrong direction?", "WARNING: stack going in the wrong direction"),
    ("stack recursion", "WARNING: stack recursion"),
];

fn unwinder(message: &str) -> Option<Headline> {
    let body = message.strip_prefix("WARNING: ")?;
    let &(_, title) = UNWINDER.iter().find(|(line, _)| body.starts_with(line))?;
    let headline = Headline::new(Kind::new("warning.unwinder"), title);
    Some(headline.recipe(Recipe::Nobody).rank(Rank::Note).if_stamped())
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

/// A `BUG:` or `WARNING:` that nothing above knows. No harmless message of the kernel begins with `BUG: `, but many do
/// with `WARNING: `.
fn unknown_bug(message: &str) -> Option<Headline> {
    if message == "BUG:" {
        return Some(Headline::new(Kind::new("bug.other"), "BUG: corrupted").if_stamped());
    }
    let (tag, body) = message.split_once(": ")?;
    let headline = |kind| Headline::new(Kind::new(kind), canonical(message));
    match tag {
        _ if body.trim().is_empty() => None,
        "BUG" => Some(headline("bug.other").if_stamped()),
        "WARNING" => Some(headline("warning.other").if_proved()),
        _ => None,
    }
}
