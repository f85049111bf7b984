//! Which lines look as if they belonged to a report.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, StartKind};

use crate::analyse::frame;

/// What a line looks like to an open report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Part of a report.
    Body,
    /// The last line of a report, but for an appendix.
    End,
    /// Anything else.
    Stranger,
}

/// Starts of lines of reports. A line that is no frame and begins with none of them is a stranger.
const STARTS: &[&str] = &[
    // What every report has: kernel/panic.c, lib/dump_stack.c, arch/*/kernel/{traps,process,dumpstack}.c.
    "Call Trace:",
    "Call trace:",
    "Backtrace:",
    "Call Trace (unreliable)",
    "stack backtrace:",
    "CPU: ",
    "CPU#",
    "Hardware name:",
    "Tainted: ",
    "Not tainted",
    "Modules linked in",
    "Workqueue: ",
    "RIP:",
    "RIP ",
    "EIP:",
    "RSP:",
    "RAX:",
    "RDX:",
    "RBP:",
    "R10:",
    "R13:",
    "FS: ",
    "CS: ",
    "CR2:",
    "DR0:",
    "DR3:",
    "PKRU:",
    "Code:",
    "Stack:",
    "pc : ",
    "lr : ",
    "sp : ",
    "x0 : ",
    "pstate:",
    "PC is at",
    "LR is at",
    "EAX:",
    "ESI:",
    "DS: ",
    "GS:",
    "Process ",
    "Exception stack",
    "Stack limit",
    "task: ",
    "task:",
    "Comm: ",
    "last unloaded",
    "<TASK>",
    "</TASK>",
    "<IRQ>",
    "</IRQ>",
    "<NMI>",
    "</NMI>",
    "<SOFTIRQ>",
    "</SOFTIRQ>",
    "<#DF>",
    "</#DF>",
    "<#DB>",
    "</#DB>",
    "<ENTRY_TRAMPOLINE>",
    "</ENTRY_TRAMPOLINE>",
    "<EOI>",
    "<<EOE>>",
    "CR0:",
    "Kernel Offset:",
    "Rebooting in",
    "Dumping ftrace buffer",
    "(ftrace buffer empty)",
    "SMP: stopping secondary CPUs",
    "SMP: failed to stop",
    "CPU features:",
    "Memory Limit:",
    "PHYS_OFFSET:",
    "note: ",
    "irq event stamp:",
    "hardirqs last ",
    "softirqs last ",
    "#PF: ",
    "PGD ",
    "pgd =",
    "[0000",
    "[ffff",
    "P4D ",
    "PUD ",
    "Mem abort info:",
    "Data abort info:",
    "ESR = ",
    "EC = ",
    "SET = ",
    "EA = ",
    "FSC = ",
    "ISV = ",
    "CM = ",
    "GCS = ",
    "user pgtable:",
    "swapper pgtable:",
    "swapper/",
    "KASAN: ",
    "Trace:",
    "stack segment",
    "Sending NMI from CPU",
    "Sending NMI to ",
    "NMI backtrace for cpu",
    "INFO: NMI handler",
    "Preemption disabled at:",
    "preempt_count:",
    "RCU nest depth:",
    "in_atomic():",
    "Preempt",
    "Internal error:",
    "---[",
    "unwind stack type",
    "WARNING: stack",
    "WARNING: kernel stack",
    "x86 task switch",
    "Bits ",
    // Sanitizers.
    "Read of size",
    "Write of size",
    "Read at addr",
    "Write at addr",
    "Access of size",
    "Free of addr",
    "Pointer tag:",
    "Allocated by task",
    "Allocated:",
    "Freed by task",
    "Freed:",
    "The buggy address",
    "which belongs to",
    "The buggy address is located",
    "Memory state around",
    "page:",
    "flags: ",
    "raw:",
    "page dumped because",
    "page_type:",
    "head:",
    "aops:",
    "This frame has",
    "Last potentially related work",
    "Second to last potentially",
    "Last call_rcu",
    "(stack is not available)",
    "Object at ",
    "Page has been",
    "anon flags",
    "anon ",
    "addr ",
    "allocated with",
    "freed by task",
    "allocated by task",
    "page last allocated",
    "page last free",
    "page_owner",
    "page owner",
    "ksm ",
    "index:",
    "mapping:",
    "memcg:",
    "BUG: Bad",
    "Uninit was",
    "Local variable",
    "Bytes ",
    "Memory access of size",
    "Data copied to",
    "Byte ",
    "chained origin",
    "origin:",
    "read to 0x",
    "write to 0x",
    "read (marked)",
    "write (marked)",
    "read-write to",
    "read-write (",
    "assert no",
    "race at unknown",
    "value changed:",
    "value before:",
    "Reported by Kernel Concurrency",
    "Out-of-bounds ",
    "Use-after-free ",
    "Corrupted memory at",
    "Invalid read at",
    "Invalid write at",
    "Invalid free of",
    "Invalid access at",
    "kfence-#",
    "index ",
    "shift exponent",
    "left shift",
    "signed integer overflow",
    "unsigned integer overflow",
    "division by zero",
    "load of value",
    "member access",
    "store to",
    "load of",
    "negation of",
    "load address",
    "object size",
    "pointer ",
    // Lock debugging.
    "but task",
    "but now",
    "but there are no",
    "which lock already",
    "the existing dependency",
    "-> #",
    "other info",
    "Possible unsafe",
    "Possible interrupt unsafe",
    "Chain exists of",
    "*** DEADLOCK",
    "CPU0 ",
    "---- ",
    "lock(",
    "<Interrupt>",
    "1 lock held",
    "no locks held",
    "locks held by",
    "2 locks",
    "3 locks",
    "4 locks",
    "the dependencies between",
    "-> (",
    "... ",
    "and this task is",
    "which would create",
    "to a ",
    "and interrupts could",
    "inconsistent {",
    "{",
    "May be due to",
    "rcu_scheduler_active",
    "context-{",
    "RCU used",
    "the code is fine",
    "you didn't initialize",
    "INFO: lockdep is turned off",
    "the shortest dependencies",
    "stack_trace",
    "lock: ",
    ".magic",
    "Showing all locks held",
    "Showing busy",
    "Locks held",
    "Lock:",
    "there are no more locks",
    "there is already",
    "the first lock",
    "and the lock",
    "#0:",
    "#1:",
    "#2:",
    "#3:",
    "#4:",
    "#5:",
    "#6:",
    "#7:",
    "#8:",
    "#9:",
    "blocked by",
    "owner",
    "sync lock",
    "rmap lock",
    "a lock is",
    "the freed memory",
    "which is not",
    // Stalls.
    "0-",
    "1-",
    "2-",
    "3-",
    "(t=",
    "(detected by",
    "Tasks blocked",
    "Unless rcu",
    "RCU grace-period",
    "Stack dump where",
    "rcu_",
    "rcu: ",
    "Possible timer handling",
    "\"echo 0 >",
    "Showing",
    "Not ",
    "blocked tasks",
    "Future hung",
    "pwq ",
    "pending:",
    "in-flight:",
    "inactive:",
    "delayed:",
    "workqueue ",
    "pool ",
    "Blocked by",
    "Utilization",
    "#1: ",
    "Hardirq",
    "All QSes",
    "Sched",
    // Memory.
    "Mem-Info",
    "active_anon",
    "inactive_anon",
    "Node ",
    "DMA",
    "DMA32",
    "Normal",
    "lowmem_reserve",
    "HighMem",
    "Movable",
    "Unreclaimable slab",
    "Name ",
    "total pagecache",
    "pages in swap",
    "Swap cache",
    "Free swap",
    "Total swap",
    "pages RAM",
    "pages HighMem",
    "pages reserved",
    "pages cma",
    "pages hwpoisoned",
    "Tasks state",
    "[ pid ]",
    "[  pid  ]",
    "oom-kill:",
    "oom_kill",
    "memory: usage",
    "memory+swap:",
    "kmem: usage",
    "swap: usage",
    "Memory cgroup stats",
    "Task in ",
    "Killed process",
    "oom_reaper:",
    "Tasks in ",
    "hugepages_",
    "isolated_",
    "mapped:",
    "free:",
    "slab_",
    "unevictable:",
    "sec_pagetables",
    "kernel_misc",
    "mem_cgroup",
    "Memory allocations",
    "kswapd",
    "INFO: Slab",
    "INFO: Object",
    "INFO: Allocated",
    "INFO: Freed",
    "INFO: 0x",
    "Slab 0x",
    "Object 0x",
    "Object ",
    "Redzone ",
    "Padding ",
    "Bytes b4",
    "Allocated in",
    "Freed in",
    "FIX ",
    "[Redzone",
    "[Poison",
    "[Padding",
    "[Left",
    "[Right",
    "[Object",
    "Disabling lock",
    "Slab ",
    "cache:",
    "node ",
    "slab slab",
    "Node:",
    "comm \"",
    "hex dump",
    "backtrace",
    "ref_tracker",
    "kernel BUG",
    "full_pages",
    "leaked",
    "size ",
    "unreferenced",
    "Usage",
    "refcount_t:",
    "list_",
    "ODEBUG:",
];

static STARTS_AUTOMATON: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .start_kind(StartKind::Anchored)
        .build(STARTS)
        .unwrap_or_else(|error| unreachable!("{} short literals: {error}", STARTS.len()))
});

/// Sorts a message.
pub(super) fn shape(message: &str) -> Shape {
    let text = crate::detect::text::without_subsystem(message.trim_start());
    if is_end(text) {
        return Shape::End;
    }
    let known = text.is_empty()
        || is_bar(text)
        || starts(text)
        || is_dump(text)
        || frame::parse(message).is_some();
    if known || says_more(text) { Shape::Body } else { Shape::Stranger }
}

/// What may follow an end marker: the registers of the summary and the panic (`arch/x86/kernel/dumpstack.c:oops_end`).
pub(super) fn fits_tail(message: &str) -> bool {
    let text = message.trim_start();
    let registers = [
        "RIP",
        "RSP",
        "RAX",
        "RDX",
        "RBP",
        "R10",
        "R13",
        "FS",
        "CS",
        "CR2",
        "DR",
        "Code",
        "note",
        "Kernel Offset",
        "Rebooting",
        "SMP",
        "CPU features",
        "Memory Limit",
        "PHYS_OFFSET",
        "Dumping",
        "PKRU",
        "----",
        "===",
        "(ftrace",
        "EIP",
        "EAX",
        "ESI",
        "DS",
        "Disabling",
    ];
    text.is_empty()
        || registers.iter().any(|start| text.starts_with(start))
        || frame::parse(message).is_some()
}

/// Whether the kernel now asks other processors for their backtraces (`lib/nmi_backtrace.c`).
pub(super) fn asks_other_cpus(message: &str) -> bool {
    message.contains("Sending NMI from CPU") || message.starts_with("Sending NMI to ")
}

/// Whether this is the answer to that.
pub(super) fn is_cpu_backtrace(message: &str) -> bool {
    message.starts_with("NMI backtrace for cpu") || message.starts_with("CPU: ")
}

fn is_end(text: &str) -> bool {
    text.starts_with("---[ end ")
}

fn is_bar(text: &str) -> bool {
    text.len() >= 10 && text.bytes().all(|byte| matches!(byte, b'=' | b'-' | b' '))
}

fn starts(text: &str) -> bool {
    STARTS_AUTOMATON.find(Input::new(text).anchored(aho_corasick::Anchored::Yes)).is_some()
}

/// A line of hexadecimal bytes or words, with or without an address or register names.
fn is_dump(text: &str) -> bool {
    let text = text.trim_start_matches('>');
    let mut words = text.split_whitespace();
    let Some(first) = words.next() else { return false };
    let first = first.trim_end_matches(':');
    let is_hex = |word: &str| word.len() >= 2 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let register =
        first.len() <= 3 && first.starts_with(['x', 'r', 'R', 'E', 'g', 's', 't', 'a', 'f']);
    let enough =
        words.filter(|word| is_hex(word.trim_matches([':', '(', ')', '<', '>', '^']))).count() >= 1;
    (is_hex(first) || register || first == "0x") && enough
}

/// Phrases inside lines of reports.
fn says_more(text: &str) -> bool {
    const PHRASES: [&str; 16] = [
        " is trying to acquire",
        " is trying to lock",
        " is trying to release",
        " is trying to contend",
        " is freeing memory",
        " is exiting with locks",
        " is leaving the kernel with locks",
        "-W} ",
        "-R} ",
        " just changed the state of lock",
        " suspicious rcu_",
        "rcu_scheduler_active",
        "lock held by ",
        "locks held by ",
        "score ",
        "[<",
    ];
    PHRASES.iter().any(|phrase| text.contains(phrase))
        || (text.contains(" by task ") && text.contains("0x"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_reports_are_told_from_others() {
        for line in [
            " dump_stack_lvl+0x34/0x44",
            "RAX: 0000000000000000 RBX: ffff",
            "Call trace:",
            " ? f+0x1/0x2 [ext4]",
            "x29: ffff800008003d80 x28: 0",
        ] {
            assert_eq!(shape(line), Shape::Body, "{line}");
        }
        for line in
            ["EXT4-fs (sda1): mounted filesystem", "usb 1-1: new device", "audit: type=1400"]
        {
            assert_eq!(shape(line), Shape::Stranger, "{line}");
        }
        assert_eq!(shape("---[ end trace 0000000000000000 ]---"), Shape::End);
    }
}
