//! Misuse of contexts and of spinning locks.
//!
//! `kernel/sched/core.c`, `lib/smp_processor_id.c`, `kernel/workqueue.c`, `kernel/locking/{spinlock_debug,rtmutex}.c`.

use super::text::{between, canonical, word};
use super::{Headline, Recipe};
use crate::Kind;

pub(super) fn detect(message: &str) -> Option<Headline> {
    if message == "bad: scheduling from the idle thread!" {
        let title = "BUG: scheduling from the idle thread";
        return Some(Headline::new(Kind::new("atomic.scheduling"), title).if_proved());
    }
    let body = message.strip_prefix("BUG: ")?;
    context(body).or_else(|| preemptible(body)).or_else(|| spinlock(body))
}

/// Starts of lines, kinds, titles.
const CONTEXTS: [(&str, &str, &str); 8] = [
    ("scheduling while atomic", "atomic.scheduling", "BUG: scheduling while atomic"),
    (
        "sleeping function called from invalid context",
        "atomic.sleep",
        "BUG: sleeping function called from invalid context",
    ),
    (
        "scheduling in a non-blocking section",
        "atomic.scheduling",
        "BUG: scheduling in a non-blocking section",
    ),
    ("assuming atomic context", "atomic.assumption", "BUG: assuming atomic context"),
    (
        "assuming non migratable context",
        "atomic.assumption",
        "BUG: assuming non migratable context",
    ),
    ("workqueue leaked", "atomic.workqueue-leak", "BUG: workqueue leaked lock or atomic"),
    ("unexpected preemption", "atomic.preemption", "BUG: unexpected preemption"),
    (
        "function called from wrong context",
        "atomic.sleep",
        "BUG: function called from wrong context",
    ),
];

fn context(body: &str) -> Option<Headline> {
    let &(_, kind, title) = CONTEXTS.iter().find(|(line, ..)| body.starts_with(line))?;
    Some(Headline::new(Kind::new(kind), title))
}

/// `BUG: using __this_cpu_add() in preemptible [00000000] code: comm/42`
fn preemptible(body: &str) -> Option<Headline> {
    let what = between(body, "using ", " in preemptible")?;
    body.starts_with("using ").then(|| {
        Headline::new(
            Kind::new("atomic.preemptible"),
            format!("BUG: using {what} in preemptible code"),
        )
    })
}

/// `BUG: spinlock bad magic on CPU#1, comm/42`
fn spinlock(body: &str) -> Option<Headline> {
    let lock = word(body);
    let family = matches!(lock, "spinlock" | "rwlock" | "rwsem" | "mutex" | "rt_mutex");
    let what = body.strip_prefix(lock)?.split(" on CPU#").next()?.trim();
    let debug = family && body.contains(" on CPU#");
    let headline = || {
        let title = canonical(&format!("BUG: {lock} {what}"));
        Headline::new(Kind::of_words(lock, what), title).recipe(Recipe::Trace)
    };
    debug.then(headline)
}
