//! Panics that only carry out what an earlier report asked for.

/// Reasons by which the kernel panics after a report: the callers of `panic()` in `kernel/panic.c`, `kernel/hung_task.c`,
/// `kernel/watchdog*.c`, `kernel/rcu/tree_stall.h`, `arch/*/kernel/{dumpstack,traps}.c`.
const REASONS: [&str; 9] = [
    "panic_on_warn set",
    "Fatal exception",
    "hung_task: blocked tasks",
    "softlockup: hung tasks",
    "Hard LOCKUP",
    "RCU Stall",
    "panic_on_taint set",
    "system warned too often",
    "Oops:",
];

/// Whether a panic's reason says that a report came before it.
pub(crate) fn is_consequence(reason: &str) -> bool {
    let reason = reason.trim_start_matches("kernel: ").trim_start_matches("KASAN: ");
    REASONS.iter().any(|known| reason.starts_with(known))
}
