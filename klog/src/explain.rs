//! A sentence about each kind, and where the kernel's documentation says more.

use crate::Kind;

/// What a kind of report means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// One sentence.
    pub text: &'static str,
    /// A page of the kernel's documentation.
    pub link: &'static str,
}

const BUG_HUNTING: &str = "https://docs.kernel.org/admin-guide/bug-hunting.html";
const LOCKDEP: &str = "https://docs.kernel.org/locking/lockdep-design.html";
const WATCHDOGS: &str = "https://docs.kernel.org/admin-guide/lockup-watchdogs.html";
const SYSCTL: &str = "https://docs.kernel.org/admin-guide/sysctl/kernel.html";
const STALLS: &str = "https://docs.kernel.org/RCU/stallwarn.html";
const SLUB: &str = "https://docs.kernel.org/admin-guide/mm/slab.html";
const MEMORY: &str = "https://docs.kernel.org/admin-guide/mm/concepts.html";
const DEPRECATED: &str = "https://docs.kernel.org/process/deprecated.html";
const SELF_PROTECTION: &str = "https://docs.kernel.org/security/self-protection.html";

/// Kinds with their explanations; a kind has that of its longest listed ancestor.
const EXPLANATIONS: &[(&str, &str, &str)] = &[
    ("panic", "The kernel gave up: it could not go on safely.", SYSCTL),
    ("reboot", "The kernel booted a second time without having been asked to.", BUG_HUNTING),
    (
        "bug",
        "The kernel met a state that it had declared impossible (BUG_ON); the task was killed.",
        DEPRECATED,
    ),
    ("warning", "The kernel met a state that should not occur (WARN_ON) and went on.", DEPRECATED),
    (
        "kobject",
        "A kernel object was used before it was initialised, or after it was given up.",
        "https://docs.kernel.org/core-api/kobject.html",
    ),
    ("oops", "The processor raised an exception in kernel code.", BUG_HUNTING),
    (
        "oops.page-fault",
        "Kernel code used an address that is not mapped or not accessible.",
        BUG_HUNTING,
    ),
    (
        "oops.null-deref",
        "Kernel code used a NULL pointer, or a small offset from one.",
        BUG_HUNTING,
    ),
    (
        "oops.general-protection",
        "Kernel code used a malformed address or did what the processor forbids.",
        BUG_HUNTING,
    ),
    (
        "oops.stack-overflow",
        "A kernel stack ran into its guard page: recursion, or too large local variables.",
        BUG_HUNTING,
    ),
    (
        "oops.double-fault",
        "An exception could not be delivered, most often because the stack had overflowed.",
        BUG_HUNTING,
    ),
    ("rust", "Rust code of the kernel panicked.", "https://docs.kernel.org/rust/index.html"),
    (
        "kasan",
        "Memory was used that the code had no right to use.",
        "https://docs.kernel.org/dev-tools/kasan.html",
    ),
    (
        "kasan.slab-use-after-free",
        "A heap object was used after it had been freed.",
        "https://docs.kernel.org/dev-tools/kasan.html",
    ),
    (
        "kasan.use-after-free",
        "Memory was used after it had been freed.",
        "https://docs.kernel.org/dev-tools/kasan.html",
    ),
    (
        "kasan.slab-out-of-bounds",
        "An access went past the end (or the start) of a heap object.",
        "https://docs.kernel.org/dev-tools/kasan.html",
    ),
    (
        "kasan.double-free",
        "An object was freed twice.",
        "https://docs.kernel.org/dev-tools/kasan.html",
    ),
    (
        "kfence",
        "A sampled heap object was misused.",
        "https://docs.kernel.org/dev-tools/kfence.html",
    ),
    (
        "kmsan",
        "The kernel acted on memory that nobody had initialised.",
        "https://docs.kernel.org/dev-tools/kmsan.html",
    ),
    (
        "kcsan",
        "Two processors accessed the same memory at once, one of them writing, without synchronisation.",
        "https://docs.kernel.org/dev-tools/kcsan.html",
    ),
    (
        "ubsan",
        "The code did what the C standard leaves undefined.",
        "https://docs.kernel.org/dev-tools/ubsan.html",
    ),
    ("lockdep", "Locks are used in a way that can go wrong.", LOCKDEP),
    (
        "lockdep.circular",
        "Two locks are taken in both orders: two tasks can wait for each other for ever.",
        LOCKDEP,
    ),
    (
        "lockdep.recursive",
        "A task takes a lock of a class that it already holds: it can wait for itself.",
        LOCKDEP,
    ),
    (
        "lockdep.irq-inversion",
        "A lock taken in an interrupt depends on one held with interrupts enabled.",
        LOCKDEP,
    ),
    (
        "lockdep.irq-unsafe-order",
        "A lock used in interrupts is held while one is taken that interrupts may find held.",
        LOCKDEP,
    ),
    (
        "lockdep.inconsistent-state",
        "A lock is taken in an interrupt, and elsewhere with that interrupt enabled.",
        LOCKDEP,
    ),
    ("lockdep.bad-unlock", "A lock was released that is not held.", LOCKDEP),
    ("lockdep.held-lock-freed", "Memory was freed that holds a lock which is held.", LOCKDEP),
    ("lockdep.held-at-exit", "A task ended while it held a lock.", LOCKDEP),
    ("lockdep.held-at-user-return", "A system call returned with a lock held.", LOCKDEP),
    (
        "lockdep.suspicious-rcu",
        "RCU-protected data was used without the protection it needs.",
        "https://docs.kernel.org/RCU/lockdep-splat.html",
    ),
    (
        "lockdep.invalid-wait-context",
        "A lock that may sleep is taken where sleeping is not allowed.",
        LOCKDEP,
    ),
    ("lockdep.non-static-key", "A lock was used that was not initialised.", LOCKDEP),
    (
        "atomic",
        "Code that may sleep, or be moved to another processor, ran where it must not.",
        "https://docs.kernel.org/locking/locktypes.html",
    ),
    (
        "spinlock",
        "A spinlock is corrupt, was not initialised, or is used by the wrong owner.",
        "https://docs.kernel.org/locking/spinlocks.html",
    ),
    (
        "rwlock",
        "A reader-writer lock is corrupt, was not initialised, or is used by the wrong owner.",
        "https://docs.kernel.org/locking/spinlocks.html",
    ),
    (
        "soft-lockup",
        "A processor ran kernel code for long without letting any task run.",
        WATCHDOGS,
    ),
    (
        "irq",
        "No driver claimed an interrupt again and again, and the kernel switched it off.",
        "https://docs.kernel.org/core-api/genericirq.html",
    ),
    ("hard-lockup", "A processor ran for long with interrupts disabled.", WATCHDOGS),
    (
        "workqueue-lockup",
        "A pool of workers made no progress.",
        "https://docs.kernel.org/core-api/workqueue.html",
    ),
    (
        "csd-lock",
        "A processor did not answer a call from another.",
        "https://docs.kernel.org/admin-guide/kernel-parameters.html",
    ),
    (
        "hung-task",
        "A task slept uninterruptibly for too long: it waits for something that does not come.",
        SYSCTL,
    ),
    (
        "rcu",
        "A grace period of RCU could not end, because a processor or a task did not pass a quiescent state.",
        STALLS,
    ),
    ("slab", "The allocator found an object, or its surroundings, overwritten.", SLUB),
    ("memory", "The state of pages or of a process's memory is inconsistent.", MEMORY),
    (
        "refcount",
        "A reference count was used in a way that ends in a use after free or a leak.",
        "https://docs.kernel.org/core-api/refcount-vs-atomic.html",
    ),
    (
        "list-corruption",
        "The neighbours in a linked list do not point to each other.",
        SELF_PROTECTION,
    ),
    (
        "debug-objects",
        "A timer, work item or the like was used in the wrong stage of its life.",
        "https://docs.kernel.org/core-api/debug-objects.html",
    ),
    (
        "usercopy",
        "More was copied to or from user space than the kernel object holds.",
        SELF_PROTECTION,
    ),
    ("fortify", "A string or memory function would overflow its buffer.", SELF_PROTECTION),
    ("cfi", "An indirect call went to a function of another type.", SELF_PROTECTION),
    ("leak", "Something was taken and never given back.", BUG_HUNTING),
    (
        "leak.kmemleak",
        "Memory was allocated, and no pointer to it is left.",
        "https://docs.kernel.org/dev-tools/kmemleak.html",
    ),
    ("oom", "Memory ran out, and a task was killed for it.", MEMORY),
    (
        "page-allocation-failure",
        "An allocation failed, and its caller had not said that this is fine.",
        MEMORY,
    ),
    ("slab-allocation-failure", "The slab allocator got no pages.", SLUB),
    (
        "sched-ext",
        "A BPF scheduler was thrown out for an error.",
        "https://docs.kernel.org/scheduler/sched-ext.html",
    ),
    (
        "sched",
        "The scheduler limited real-time tasks.",
        "https://docs.kernel.org/scheduler/sched-rt-group.html",
    ),
    (
        "detector-lost",
        "A detector switched itself off: silence proves nothing from here on.",
        LOCKDEP,
    ),
];

/// The explanation of a kind.
pub fn explain(kind: &Kind) -> Explanation {
    let listed = EXPLANATIONS.iter().filter(|(path, ..)| kind.is_within(path));
    let closest = listed.max_by_key(|(path, ..)| path.len());
    closest.map_or(
        Explanation { text: "The kernel complained.", link: BUG_HUNTING },
        |&(_, text, link)| Explanation { text, link },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_ancestor_explains() {
        assert!(explain(&Kind::new("lockdep.circular")).text.contains("both orders"));
        assert_eq!(explain(&Kind::new("kasan.new-kind")), explain(&Kind::new("kasan")));
    }
}
