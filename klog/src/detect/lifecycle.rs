//! Panics, reboots, and events of a kernel's life: `kernel/panic.c`, `init/version.c`, `kernel/sched/{rt,ext}.c`.

use super::text::canonical;
use super::{Headline, Rank, Recipe};
use crate::Kind;

pub(super) fn detect(message: &str) -> Option<Headline> {
    panic(message)
        .or_else(|| boot(message))
        .or_else(|| detector(message))
        .or_else(|| scheduler(message))
        .or_else(|| trusty(message))
        .or_else(|| injection(message))
}

/// The reason of a panic line.
pub fn panic_reason(message: &str) -> Option<&str> {
    let reason = message.strip_prefix("Kernel panic - not syncing")?;
    Some(reason.trim_start_matches([':', ' ']))
}

fn panic(message: &str) -> Option<Headline> {
    let reason = panic_reason(message)?;
    let title = canonical(&format!("kernel panic: {reason}"));
    Some(Headline::new(Kind::new("panic"), title).recipe(Recipe::Trace).rank(Rank::Panic))
}

/// What firmware, boot loaders and decompressors (`arch/x86/boot/compressed/misc.c`) print before the kernel does.
const LOADERS: [&str; 9] = [
    "SeaBIOS (version ",
    "iPXE (http",
    "U-Boot SPL 20",
    "U-Boot 20",
    "GRUB loading",
    "OpenSBI v",
    "early console in extract_kernel",
    "early console in decompress_kernel",
    "Decompressing Linux... Parsing ELF",
];

/// Whether a line shows that a machine starts. The kernel stamps none of these.
pub fn is_boot_loader(message: &str) -> bool {
    LOADERS.iter().any(|head| message.starts_with(head))
}

/// The first line of every boot; a report where the log has one already.
fn boot(message: &str) -> Option<Headline> {
    let banner = (message.starts_with("Linux version ") && message.contains(" #"))
        || is_boot_loader(message);
    banner.then(|| {
        Headline::new(Kind::new("reboot"), "unexpected kernel reboot").recipe(Recipe::Nobody)
    })
}

/// Starts of the lines by which a detector says that it is off, and its kind.
const LOST: [(&str, &str); 6] = [
    ("ODEBUG: Out of memory. ODEBUG disabled", "detector-lost.debug-objects"),
    ("Kernel memory leak detector disabled", "detector-lost.kmemleak"),
    ("Future hung task reports are suppressed", "detector-lost.hung-task"),
    ("Stack depot reached limit capacity", "detector-lost.stack-depot"),
    ("DMA-API: debugging out of memory - disabling", "detector-lost.dma-api"),
    ("DMA-API: exceeded", "detector-lost.dma-api"),
];

fn detector(message: &str) -> Option<Headline> {
    let &(_, kind) = LOST.iter().find(|(line, _)| message.starts_with(line))?;
    Some(Headline::new(Kind::new(kind), canonical(message)).recipe(Recipe::Nobody).rank(Rank::Note))
}

/// `trusty: panic (caller 0x…): …`: the secure world's kernel, through its log driver.
fn trusty(message: &str) -> Option<Headline> {
    message
        .starts_with("trusty: panic")
        .then(|| Headline::new(Kind::new("trusty.panic"), "trusty: panic").recipe(Recipe::Nobody))
}

fn scheduler(message: &str) -> Option<Headline> {
    if message.starts_with("RT throttling activated") {
        return Some(
            Headline::new(Kind::new("sched.rt-throttled"), "RT throttling activated")
                .recipe(Recipe::Nobody)
                .rank(Rank::Note),
        );
    }
    let ejected =
        message.starts_with("sched_ext: BPF scheduler \"") && message.contains("\" disabled (");
    let graceful = message.contains("unregistered from user space")
        || message.contains("unregistered from BPF");
    (ejected && !graceful).then(|| {
        Headline::new(Kind::new("sched-ext.disabled"), "sched_ext: BPF scheduler disabled")
    })
}

/// `FAULT_INJECTION: forcing a failure.` (`lib/fault-inject.c: fail_dump`): asked for, but with a stack of its own, which
/// proves nothing about a line before it.
fn injection(message: &str) -> Option<Headline> {
    message
        .starts_with("FAULT_INJECTION: forcing a failure")
        .then(|| Headline::new(Kind::new("fault-injection"), "fault injection"))
}
