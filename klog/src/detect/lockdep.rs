//! Lockdep and the lock debugging around it: `kernel/locking/lockdep.c`.

use super::text::{canonical, word};
use super::{Headline, Rank, Recipe};
use crate::Kind;

/// The report that asks about no lock.
const RCU_USAGE: &str = "lockdep.suspicious-rcu";

/// Titles and kinds of the reports that begin with `WARNING: ` (`INFO: ` and brackets before 4.10).
const REPORTS: [(&str, &str, &str); 11] = [
    ("possible circular locking dependency detected", "lockdep.circular", "possible deadlock"),
    ("possible recursive locking detected", "lockdep.recursive", "possible deadlock"),
    (
        "possible irq lock inversion dependency detected",
        "lockdep.irq-inversion",
        "possible deadlock",
    ),
    ("inconsistent lock state", "lockdep.inconsistent-state", "inconsistent lock state"),
    ("bad unlock balance detected", "lockdep.bad-unlock", "WARNING: bad unlock balance"),
    ("held lock freed", "lockdep.held-lock-freed", "WARNING: held lock freed"),
    (
        "Nested lock was not taken",
        "lockdep.nested-lock-not-taken",
        "WARNING: Nested lock was not taken",
    ),
    ("bad contention detected", "lockdep.bad-contention", "WARNING: bad contention"),
    (
        "lock held when returning to user space",
        "lockdep.held-at-user-return",
        "WARNING: lock held when returning to user space",
    ),
    ("suspicious RCU usage", RCU_USAGE, "WARNING: suspicious RCU usage"),
    ("chain_key collision", "lockdep.chain-key-collision", "WARNING: chain_key collision"),
];

/// Limits of lockdep; reaching one turns it off (`debug_locks_off`).
const LIMITS: [&str; 6] = [
    "MAX_LOCKDEP_ENTRIES",
    "MAX_LOCKDEP_CHAINS",
    "MAX_LOCKDEP_CHAIN_HLOCKS",
    "MAX_LOCKDEP_KEYS",
    "MAX_LOCK_DEPTH",
    "MAX_STACK_TRACE_ENTRIES",
];

pub(super) fn detect(message: &str) -> Option<Headline> {
    let message = unbracketed(message);
    limit(message)
        .or_else(|| tagged(message))
        .or_else(|| bug(message))
        .or_else(|| switched_off(message))
}

/// `[ BUG: Invalid wait context ]` stands in brackets, as all these reports once did.
fn unbracketed(message: &str) -> &str {
    let inner = message.strip_prefix("[ ").and_then(|inner| inner.strip_suffix(" ]"));
    inner.unwrap_or(message).trim()
}

fn tagged(message: &str) -> Option<Headline> {
    let body = ["WARNING: ", "INFO: ", "BUG: "].iter().find_map(|tag| message.strip_prefix(tag))?;
    let known = REPORTS.iter().find(|(line, ..)| body.starts_with(line));
    let report = known.map(|&(_, kind, title)| {
        let recipe = if kind == RCU_USAGE { Recipe::Trace } else { Recipe::Acquirer };
        Headline::new(Kind::new(kind), title).recipe(recipe)
    });
    report.or_else(|| unsafe_order(body)).or_else(|| still_held(body)).or_else(|| non_static(body))
}

/// `HARDIRQ-safe -> HARDIRQ-unsafe lock order detected`
fn unsafe_order(body: &str) -> Option<Headline> {
    let order = body.ends_with("lock order detected") && body.contains("-safe -> ");
    order.then(|| {
        Headline::new(Kind::new("lockdep.irq-unsafe-order"), "possible deadlock")
            .recipe(Recipe::Acquirer)
    })
}

/// `comm/pid still has locks held!`; `BUG: … still has locks held!` in old kernels.
fn still_held(body: &str) -> Option<Headline> {
    let exit =
        body.ends_with("still has locks held!") || body.starts_with("lock held at task exit time");
    exit.then(|| Headline::new(Kind::new("lockdep.held-at-exit"), "WARNING: still has locks held"))
}

fn non_static(body: &str) -> Option<Headline> {
    let title = "INFO: trying to register non-static key";
    body.starts_with("trying to register non-static key")
        .then(|| Headline::new(Kind::new("lockdep.non-static-key"), title))
}

fn bug(message: &str) -> Option<Headline> {
    let body = message.strip_prefix("BUG: ")?;
    // `not in .data` until 4.20.
    let key = body.starts_with("key ")
        && (body.contains("has not been registered") || body.ends_with(" not in .data!"));
    match body {
        "Invalid wait context" => {
            let headline = Headline::new(
                Kind::new("lockdep.invalid-wait-context"),
                "BUG: Invalid wait context",
            );
            Some(headline.recipe(Recipe::Acquirer))
        }
        _ if key => Some(
            Headline::new(
                Kind::new("lockdep.unregistered-key"),
                "BUG: lock key has not been registered",
            )
            .rank(Rank::Lead),
        ),
        _ if body.starts_with("looking up invalid subclass") => Some(Headline::new(
            Kind::new("lockdep.invalid-subclass"),
            "BUG: looking up invalid subclass",
        )),
        _ => None,
    }
}

/// `BUG: MAX_LOCKDEP_CHAINS too low!`: nothing is wrong but lockdep is dead.
fn limit(message: &str) -> Option<Headline> {
    let body = message.strip_prefix("BUG: ").unwrap_or(message);
    let known = LIMITS.contains(&word(body)) && body.contains(" too low");
    known.then(|| {
        let title = canonical(&format!("BUG: {}", body.trim_end_matches('!')));
        Headline::new(Kind::new("detector-lost.lockdep"), title).recipe(Recipe::Nobody)
    })
}

/// The lines by which lockdep says that it is off; part of any report that they stand in.
fn switched_off(message: &str) -> Option<Headline> {
    let off = message.starts_with("INFO: lockdep is turned off")
        || message.starts_with("Disabling lock debugging due to kernel taint")
        || message.starts_with("turning off the locking correctness validator");
    off.then(|| {
        let title = canonical(message.trim_end_matches('.'));
        Headline::new(Kind::new("detector-lost.lockdep"), title)
            .recipe(Recipe::Nobody)
            .rank(Rank::Note)
    })
}
