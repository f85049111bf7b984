//! Exceptions of the processor in kernel mode.
//!
//! x86: `arch/x86/mm/fault.c`, `arch/x86/kernel/{traps,dumpstack}.c`; arm64: `arch/arm64/mm/fault.c`,
//! `arch/arm64/kernel/traps.c`; arm: `arch/arm/mm/fault.c`.

use super::text::canonical;
use super::{Headline, Rank, Recipe};
use crate::Kind;

const PAGING: &str = "BUG: unable to handle kernel paging request";
const NULL: &str = "BUG: unable to handle kernel NULL pointer dereference";

pub(super) fn detect(message: &str) -> Option<Headline> {
    memory_fault(message)
        .or_else(|| stack_overflow(message))
        .or_else(|| double_fault(message))
        .or_else(|| unhandled(message))
        .or_else(|| die(message))
        .or_else(|| bare(message))
}

fn exception(kind: &'static str, title: &str) -> Headline {
    Headline::new(Kind::new(kind), title).recipe(Recipe::Exception)
}

/// `CPU 0 Unable to handle …` without the processor (MIPS, LoongArch: `arch/mips/mm/fault.c`).
fn without_cpu(message: &str) -> &str {
    let behind = message.strip_prefix("CPU ").and_then(|rest| rest.split_once(' '));
    let cpu = |number: &str| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    behind.filter(|(number, _)| cpu(number)).map_or(message, |(_, rest)| rest)
}

/// The line that says which address could not be reached.
fn memory_fault(message: &str) -> Option<Headline> {
    let message = without_cpu(message);
    if message.starts_with("BUG: kernel NULL pointer dereference")
        || message.starts_with("BUG: Kernel NULL pointer dereference")
    {
        return Some(exception("oops.null-deref", NULL));
    }
    let rest = ["BUG: unable to handle ", "BUG: Unable to handle ", "Unable to handle "]
        .iter()
        .find_map(|head| message.strip_prefix(head))?;
    let kernel = rest.starts_with("kernel ") || rest.starts_with("page fault ");
    let null = rest.contains("NULL pointer");
    let user = rest.contains("access to user memory") || rest.contains("execution of user memory");
    let headline = match () {
        () if null => exception("oops.null-deref", NULL),
        () if user => {
            exception("oops.user-access", "BUG: unable to handle kernel access to user memory")
        }
        () => exception("oops.page-fault", PAGING),
    };
    kernel.then_some(headline)
}

fn stack_overflow(message: &str) -> Option<Headline> {
    let guard = message.starts_with("BUG: ") && message.contains("stack guard page was hit");
    let arm64 = message.starts_with("Insufficient stack space to handle exception");
    let x86 = message.starts_with("kernel stack overflow (");
    let title = if guard { "BUG: stack guard page was hit" } else { "kernel stack overflow" };
    let rank = if x86 { Rank::Die } else { Rank::Main };
    (guard || arm64 || x86).then(|| exception("oops.stack-overflow", title).rank(rank))
}

fn double_fault(message: &str) -> Option<Headline> {
    let hit = message.starts_with("PANIC: double fault");
    hit.then(|| exception("oops.double-fault", "PANIC: double fault"))
}

/// Exceptions that the kernel has no handler for.
fn unhandled(message: &str) -> Option<Headline> {
    if message.starts_with("SError Interrupt on CPU") {
        return Some(exception("oops.serror", "SError Interrupt"));
    }
    let mode = message.starts_with("Bad mode in ") && message.contains(" handler detected");
    let vector = message.starts_with("Unhandled ") && message.contains(" exception on CPU");
    if mode || vector {
        return Some(exception("oops.unhandled-exception", "unhandled exception"));
    }
    let fault = ["Unhandled fault: ", "Unhandled prefetch abort: "]
        .iter()
        .any(|head| message.starts_with(head));
    let alignment = message.starts_with("Alignment trap: not handling instruction");
    let headline = if alignment {
        exception("oops.alignment", "Alignment trap")
    } else {
        exception("oops.unhandled-fault", "Unhandled fault")
    };
    (fault || alignment).then(|| headline.if_proved())
}

/// Die strings, `what: code [#n] flags`, and the kinds and titles they stand for.
const DIE: [(&str, &str, &str); 25] = [
    ("general protection fault", "oops.general-protection", "general protection fault"),
    (
        "segment-related general protection fault",
        "oops.general-protection",
        "general protection fault",
    ),
    ("stack segment", "oops.stack-segment", "stack segment fault"),
    ("divide error", "oops.divide-error", "divide error"),
    ("divide_error", "oops.divide-error", "divide error"),
    ("invalid opcode", "oops.invalid-opcode", "invalid opcode"),
    ("int3", "oops.int3", "int3"),
    ("alignment check", "oops.alignment", "alignment check"),
    ("bounds", "oops.bounds", "bounds"),
    ("invalid TSS", "oops.invalid-tss", "invalid TSS"),
    ("segment not present", "oops.segment-not-present", "segment not present"),
    ("coprocessor segment overrun", "oops.coprocessor", "coprocessor segment overrun"),
    ("iret exception", "oops.iret", "iret exception"),
    ("Bad pagetable", "oops.bad-pagetable", "Bad pagetable"),
    ("double fault", "oops.double-fault", "PANIC: double fault"),
    ("kernel stack overflow", "oops.stack-overflow", "kernel stack overflow"),
    ("control protection", "oops.control-protection", "control protection fault"),
    ("undefined instruction", "oops.undefined-instruction", "undefined instruction"),
    ("Undefined instruction", "oops.undefined-instruction", "undefined instruction"),
    ("SP/PC alignment exception", "oops.alignment", "SP/PC alignment exception"),
    ("synchronous external abort", "oops.external-abort", "synchronous external abort"),
    ("unknown", "oops", "Oops"),
    // s390, riscv
    ("illegal operation", "oops.undefined-instruction", "illegal operation"),
    ("illegal instruction", "oops.undefined-instruction", "illegal instruction"),
    ("monitor event", "bug", "kernel BUG"),
];

/// arm64 appends the cause: `Oops - BTI`, `Oops - FPAC` (`arch/arm64/kernel/traps.c`).
const ARM_DIE: [(&str, &str, &str); 10] = [
    ("BUG", "bug", "kernel BUG"),
    ("Undefined instruction", "oops.undefined-instruction", "undefined instruction"),
    ("undefined instruction", "oops.undefined-instruction", "undefined instruction"),
    ("BTI", "oops.bti", "Internal error: BTI"),
    ("FPAC", "oops.fpac", "Internal error: FPAC"),
    ("GCS", "oops.gcs", "Internal error: GCS"),
    ("CFI", "cfi", "CFI failure"),
    ("KASAN", "kasan", "KASAN"),
    ("BRK", "oops.brk", "Internal error: BRK"),
    ("SP/PC alignment exception", "oops.alignment", "SP/PC alignment exception"),
];

/// `what: 0000 [#1] SMP`, on newer kernels `Oops: what: 0000 [#1] SMP`, on arm64 `Internal error: what: …`.
fn die(message: &str) -> Option<Headline> {
    let (head, counted) = message.split_once("[#")?;
    counted.starts_with(|c: char| c.is_ascii_digit()).then_some(())?;
    let head = head.trim_end();
    if let Some(headline) = codeless(head) {
        return Some(headline.rank(Rank::Die));
    }
    let (what, code) = head.rsplit_once(':')?;
    // s390 has the length of the instruction behind the code.
    let (what, code) = match what.strip_suffix(" ilc").and_then(|what| what.rsplit_once(':')) {
        Some(s390) => s390,
        None => (what, code),
    };
    let code = code.trim();
    (!code.is_empty() && code.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(())?;
    Some(die_headline(what).rank(Rank::Die))
}

/// `Oops [#1]`, `Oops - illegal instruction [#1]` (riscv), `Oops[#1]:`, `Kernel bug detected[#1]:` (MIPS, LoongArch):
/// `arch/{riscv,mips,loongarch}/kernel/traps.c`.
fn codeless(head: &str) -> Option<Headline> {
    if let Some(cause) = head.strip_prefix("Oops - ").filter(|cause| !cause.contains(':')) {
        return Some(known(&DIE, cause).unwrap_or_else(|| other_die(cause)));
    }
    match head {
        "Oops" => Some(other_die(head)),
        "Kernel bug detected" | "Kernel BUG" => Some(exception("bug", "kernel BUG")),
        "Reserved instruction in kernel code"
        | "Break instruction in kernel code"
        | "Unhandled kernel unaligned access" => Some(other_die(head)),
        _ => None,
    }
}

fn die_headline(what: &str) -> Headline {
    let arm = what.strip_prefix("Internal error: ");
    if let Some(cause) = arm.and_then(|what| what.strip_prefix("Oops - ")) {
        return known(&ARM_DIE, cause).unwrap_or_else(|| other_die(cause));
    }
    if let Some(bug) = arm.and_then(|what| what.strip_prefix("KASAN - ")) {
        return Headline::new(Kind::of_words("kasan", bug), format!("KASAN: {bug}"))
            .recipe(Recipe::Exception);
    }
    let x86 = what.strip_prefix("Oops: ");
    let cause = arm.or(x86).unwrap_or(what);
    let tagged = arm.is_some() || x86.is_some() || what == "Oops";
    let other = || if tagged { other_die(cause) } else { other_die(cause).if_proved() };
    known(&DIE, cause).unwrap_or_else(other)
}

fn known(table: &[(&str, &'static str, &str)], what: &str) -> Option<Headline> {
    let entry = table.iter().find(|(words, ..)| what.starts_with(words))?;
    Some(exception(entry.1, entry.2))
}

fn other_die(what: &str) -> Headline {
    let plain = matches!(what.trim(), "Oops" | "");
    let title = if plain { "Oops".to_owned() } else { canonical(&format!("Oops: {what}")) };
    exception("oops", &title)
}

/// A general protection fault whose die line is broken off.
fn bare(message: &str) -> Option<Headline> {
    let message = message.strip_prefix("Oops: ").unwrap_or(message);
    let gpf = ["general protection fault, ", "general protection fault: 0"]
        .iter()
        .any(|head| message.starts_with(head));
    let user = message.contains(" ip:") || message.contains(" in ");
    (gpf && !user)
        .then(|| known(&DIE, message).map(|headline| headline.rank(Rank::Die).if_proved()))
        .flatten()
}
