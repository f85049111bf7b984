//! What may stand behind a report's end, and what other processors add to it.

use crate::analyse::frame;

/// What may follow an end marker: the registers of the summary and the panic (`arch/x86/kernel/dumpstack.c:oops_end`).
pub(in super::super) fn fits_tail(message: &str) -> bool {
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
pub(in super::super) fn asks_other_cpus(message: &str) -> bool {
    message.contains("Sending NMI from CPU") || message.starts_with("Sending NMI to ")
}

/// Whether this is the answer to that.
pub(in super::super) fn is_cpu_backtrace(message: &str) -> bool {
    message.starts_with("NMI backtrace for cpu") || message.starts_with("CPU: ")
}
