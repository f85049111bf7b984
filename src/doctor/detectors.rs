//! Which detectors a kernel has, from its configuration: what it cannot report, no test can see.

use guest_image::kernel::Config;
use serde::Serialize;

/// A detector of a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detector {
    /// What it finds.
    pub finds: &'static str,
    /// Kinds of its reports.
    pub reports: &'static str,
    /// The option of the configuration that it needs.
    pub option: &'static str,
    /// Whether the kernel has it.
    pub present: bool,
    /// What keeps it silent although it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'static str>,
}

/// What is found, the kinds, and the option; an empty option is in every kernel.
const DETECTORS: [(&str, &str, &str); 31] = [
    ("exceptions, BUG, WARN, panics", "oops bug warning panic", ""),
    ("out of memory, failed allocations", "oom page-allocation-failure", ""),
    ("deadlocks, lock misuse", "lockdep", "PROVE_LOCKING"),
    ("misuse of RCU", "lockdep.suspicious-rcu", "PROVE_RCU"),
    ("sleeping locks in atomic context", "lockdep.invalid-wait-context", "PROVE_RAW_LOCK_NESTING"),
    ("sleeping in atomic context", "atomic.sleep", "DEBUG_ATOMIC_SLEEP"),
    ("per-CPU data while preemptible", "atomic.preemptible", "DEBUG_PREEMPT"),
    ("corrupt spinlocks", "spinlock rwlock", "DEBUG_SPINLOCK"),
    ("misuse of mutexes", "warning", "DEBUG_MUTEXES"),
    ("bad accesses to memory", "kasan", "KASAN"),
    ("bad accesses, by sampling", "kfence", "KFENCE"),
    ("use of uninitialised memory", "kmsan", "KMSAN"),
    ("data races", "kcsan", "KCSAN"),
    ("undefined behaviour", "ubsan", "UBSAN"),
    ("corrupt slabs", "slab", "SLUB_DEBUG"),
    ("writes to freed pages", "memory", "PAGE_POISONING"),
    ("memory leaks", "leak.kmemleak", "DEBUG_KMEMLEAK"),
    ("leaked references", "leak.ref-tracker", "REF_TRACKER"),
    ("corrupt lists", "list-corruption", "DEBUG_LIST"),
    ("misuse of timers, work items", "debug-objects", "DEBUG_OBJECTS"),
    ("copies beyond an object", "usercopy", "HARDENED_USERCOPY"),
    ("overflows in string functions", "fortify", "FORTIFY_SOURCE"),
    ("indirect calls to the wrong type", "cfi", "CFI_CLANG"),
    ("overflow of the stack", "oops.stack-overflow", "VMAP_STACK"),
    ("corrupt stack frames", "panic", "STACKPROTECTOR"),
    ("processors without scheduling", "soft-lockup", "SOFTLOCKUP_DETECTOR"),
    ("processors without interrupts", "hard-lockup", "HARDLOCKUP_DETECTOR"),
    ("tasks that sleep for ever", "hung-task", "DETECT_HUNG_TASK"),
    ("stalled work queues", "workqueue-lockup", "WQ_WATCHDOG"),
    ("stalled grace periods", "rcu.stall", "RCU_STALL_COMMON"),
    ("who printed a line (told apart by it)", "all", "PRINTK_CALLER"),
];

/// Options that have taken another's place in newer kernels, or bring the same reports.
const ALSO: [(&str, &str); 2] = [("DEBUG_LIST", "LIST_HARDENED"), ("CFI_CLANG", "CFI")];

/// A detector's option, another one with a value, and what that means for the detector. The value `n` is that of an
/// option that is off.
const NOTES: [(&str, &str, &str, &str); 9] = [
    (
        "DEBUG_KMEMLEAK",
        "DEBUG_KMEMLEAK_DEFAULT_OFF",
        "y",
        "off until the command line has kmemleak=on",
    ),
    (
        "DEBUG_OBJECTS",
        "DEBUG_OBJECTS_ENABLE_DEFAULT",
        "0",
        "off until the command line has debug_objects",
    ),
    ("SLUB_DEBUG", "SLUB_DEBUG_ON", "n", "looks at what the command line names: slub_debug=FZPU"),
    ("PAGE_POISONING", "PAGE_POISONING", "y", "off until the command line has page_poison=1"),
    (
        "KFENCE",
        "KFENCE_SAMPLE_INTERVAL",
        "0",
        "off until the command line has kfence.sample_interval=MILLISECONDS",
    ),
    (
        "KCSAN",
        "KCSAN_EARLY_ENABLE",
        "n",
        "off until `on` is written to /sys/kernel/debug/kcsan, or the command line has kcsan.early_enable=1",
    ),
    ("KASAN", "KASAN_HW_TAGS", "y", "by tags of the processor: only where it has MTE (arm64)"),
    (
        "KASAN",
        "KASAN_SW_TAGS",
        "y",
        "by tags in pointers: small overruns within 16 bytes escape it",
    ),
    ("UBSAN", "UBSAN_TRAP", "y", "traps: what it finds is an oops without words"),
];

/// Every detector that the harness knows, and whether a kernel of this configuration has it.
pub fn detectors(config: &Config) -> Vec<Detector> {
    let one = |&(finds, reports, option): &(&'static str, &'static str, &'static str)| Detector {
        finds,
        reports,
        option,
        present: option.is_empty() || is_on(config, option),
        note: note(config, option),
    };
    DETECTORS.iter().map(one).collect()
}

fn is_on(config: &Config, option: &str) -> bool {
    let also = ALSO.iter().filter(|(old, _)| *old == option).map(|&(_, new)| new);
    std::iter::once(option).chain(also).any(|option| config.enabled(option))
}

fn note(config: &Config, option: &str) -> Option<&'static str> {
    let holds = |symbol: &str, value: &str| match value {
        "n" => !config.enabled(symbol),
        value => config.get(symbol).to_string() == value,
    };
    let found = |&&(of, symbol, value, _): &&(&str, &str, &str, &str)| {
        of == option && config.enabled(option) && holds(symbol, value)
    };
    NOTES.iter().find(found).map(|&(.., note)| note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detector_is_there_where_its_option_is_on() {
        let config = Config::parse(
            "CONFIG_PROVE_LOCKING=y\n# CONFIG_KASAN is not set\nCONFIG_DEBUG_KMEMLEAK=y\nCONFIG_DEBUG_KMEMLEAK_DEFAULT_OFF=y\n",
        );
        let found = detectors(&config);
        let of = |option: &str| found.iter().find(|detector| detector.option == option).unwrap();
        assert!(of("").present && of("PROVE_LOCKING").present && !of("KASAN").present);
        assert!(of("DEBUG_KMEMLEAK").note.is_some_and(|note| note.contains("kmemleak=on")));
        assert_eq!(of("PROVE_LOCKING").note, None);
    }

    #[test]
    fn what_keeps_a_detector_silent_is_told() {
        let note = |text: &str, option: &str| {
            let found = detectors(&Config::parse(text));
            found.into_iter().find(|detector| detector.option == option).unwrap().note
        };
        let arm = "CONFIG_KASAN=y\nCONFIG_KASAN_HW_TAGS=y\n";
        assert!(note(arm, "KASAN").is_some_and(|note| note.contains("MTE")));
        assert!(
            note("CONFIG_KCSAN=y\n", "KCSAN").is_some_and(|note| note.contains("early_enable"))
        );
        assert_eq!(note("CONFIG_KCSAN=y\nCONFIG_KCSAN_EARLY_ENABLE=y\n", "KCSAN"), None);
        assert!(note("CONFIG_KFENCE=y\nCONFIG_KFENCE_SAMPLE_INTERVAL=0\n", "KFENCE").is_some());
        assert_eq!(note("CONFIG_KFENCE=y\nCONFIG_KFENCE_SAMPLE_INTERVAL=100\n", "KFENCE"), None);
        assert_eq!(note("", "KCSAN"), None);
    }

    #[test]
    fn newer_names_of_an_option_count() {
        let found = detectors(&Config::parse("CONFIG_LIST_HARDENED=y\n"));
        assert!(found.iter().find(|detector| detector.option == "DEBUG_LIST").unwrap().present);
    }
}
