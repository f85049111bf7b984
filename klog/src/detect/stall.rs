//! Tasks and processors that get nowhere.
//!
//! `kernel/watchdog.c`, `kernel/watchdog_perf.c`, `kernel/hung_task.c`, `kernel/rcu/tree_stall.h`, `kernel/rcu/tasks.h`,
//! `kernel/workqueue.c`, `kernel/smp.c`.

use super::{Headline, Rank, Recipe};
use crate::Kind;

pub(super) fn detect(message: &str) -> Option<Headline> {
    lockup(message)
        .or_else(|| hung_task(message))
        .or_else(|| rcu(message))
        .or_else(|| queue(message))
        .or_else(|| interrupt(message))
}

fn stall(kind: &'static str, title: &str) -> Headline {
    Headline::new(Kind::new(kind), title).recipe(Recipe::Stall)
}

/// `BUG: soft lockup - CPU#1 stuck for 22s! [comm:42]`, `Watchdog detected hard LOCKUP on cpu 1`.
fn lockup(message: &str) -> Option<Headline> {
    if message.starts_with("BUG: soft lockup") {
        return Some(stall("soft-lockup", "BUG: soft lockup"));
    }
    let hard = (message.contains("Watchdog detected hard LOCKUP on cpu")
        && (message.starts_with("Watchdog") || message.starts_with("CPU")))
        || (message.starts_with("Watchdog CPU:") && message.contains("Hard LOCKUP"))
        || (message.starts_with("CPU") && message.contains("detected hard LOCKUP on other CPUs"))
        || (message.starts_with("CPU") && message.contains(" self-detected hard LOCKUP @ "));
    hard.then(|| stall("hard-lockup", "hard lockup"))
}

/// `INFO: task comm:42 blocked for more than 120 seconds.`; the name may hold any byte.
fn hung_task(message: &str) -> Option<Headline> {
    let rest = message.strip_prefix("INFO: task ")?;
    let title = match () {
        () if rest.contains(" blocked for more than ") => "INFO: task hung",
        () if rest.contains(" blocked in I/O wait for more than ") => "INFO: task hung",
        () if rest.contains(" can't die for more than ") => "INFO: task can't die",
        () if rest.contains(" blocked on a") => {
            return Some(note("hung-task", "INFO: task blocked on a lock"));
        }
        () => return None,
    };
    Some(Headline::new(Kind::new("hung-task"), title).recipe(Recipe::Hung))
}

fn note(kind: &'static str, title: &str) -> Headline {
    Headline::new(Kind::new(kind), title).recipe(Recipe::Hung).rank(Rank::Note)
}

/// `INFO: rcu_preempt self-detected stall on CPU`, `… detected stalls on CPUs/tasks:`, `… detected expedited stalls …`.
fn rcu(message: &str) -> Option<Headline> {
    const TITLE: &str = "INFO: rcu detected stall";
    if let Some(rest) = message.strip_prefix("INFO: ")
        && rest.starts_with("rcu")
    {
        return match () {
            () if rest.contains("detected expedited stalls on CPUs") => {
                Some(stall("rcu.stall.expedited", TITLE))
            }
            () if rest.starts_with("rcu_tasks") && rest.contains("detected stalls on tasks") => {
                Some(stall("rcu.stall.tasks", TITLE))
            }
            () if rest.contains("detected stall") => Some(stall("rcu.stall", TITLE)),
            () => None,
        };
    }
    let starved = message.starts_with("rcu_") && message.contains(" kthread starved for ");
    let timer =
        message.starts_with("rcu_") && message.contains(" kthread timer wakeup didn't happen for ");
    (starved || timer).then(|| stall("rcu.stall.kthread", TITLE).rank(Rank::Note))
}

fn queue(message: &str) -> Option<Headline> {
    if message.starts_with("BUG: workqueue lockup - pool") {
        return Some(stall("workqueue-lockup", "BUG: workqueue lockup").recipe(Recipe::Nobody));
    }
    let csd = message.starts_with("csd: ") && message.contains(" non-responsive CSD lock");
    csd.then(|| stall("csd-lock", "csd: non-responsive CSD lock"))
}

/// `irq 16: nobody cared (try booting with the "irqpoll" option)` (`kernel/irq/spurious.c`); as it is the device that is
/// wrong, or its driver that is missing, no function is to blame.
fn interrupt(message: &str) -> Option<Headline> {
    let (number, rest) = message.strip_prefix("irq ")?.split_once(": ")?;
    let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (numbered && rest.starts_with("nobody cared"))
        .then(|| stall("irq.nobody-cared", "irq: nobody cared").recipe(Recipe::Nobody).if_proved())
}
