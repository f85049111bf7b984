//! What a report says about the machine: task, processor, taint, registers, code bytes.
//!
//! `lib/dump_stack.c` (`CPU: … PID: …`), `arch/x86/kernel/process_64.c` and `arch/arm64/kernel/process.c` (registers).

use std::collections::BTreeMap;

use super::frame;
use crate::Task;

/// Processor, task, taint and kernel of a `CPU: 1 UID: 0 PID: 42 Comm: cat Tainted: G    B   6.12.0 #1` line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    pub cpu: Option<u32>,
    pub task: Option<Task>,
    pub taint: Option<String>,
    pub kernel: Option<String>,
    pub build_id: Option<String>,
}

/// Reads an identity line.
pub(super) fn identity(message: &str) -> Option<Identity> {
    let rest = message.trim_start().strip_prefix("CPU: ")?;
    let (cpu, rest) = rest.split_once(' ')?;
    let pid_at = rest.find("PID: ")?;
    let (pid, rest) = rest[pid_at + 5..].split_once(' ')?;
    let rest = rest.trim_start().strip_prefix("Comm: ")?;
    let (comm, state) = split_state(rest);
    Some(Identity {
        cpu: cpu.parse().ok(),
        task: pid.parse().ok().map(|pid| Task { comm: comm.to_owned(), pid }),
        taint: taint(state),
        kernel: kernel(state),
        build_id: build_id(state),
    })
}

/// The command name, and what follows from `Tainted:` or `Not tainted` on.
fn split_state(rest: &str) -> (&str, &str) {
    let at = rest.find(" Tainted: ").or_else(|| rest.find(" Not tainted"));
    at.map_or((rest.trim(), ""), |at| (rest[..at].trim(), rest[at..].trim_start()))
}

/// The taint flags of `Tainted: G    B   W   6.1.0 #1`: single letters, spaced.
pub(super) fn taint(state: &str) -> Option<String> {
    let flags = state.trim_start().strip_prefix("Tainted: ")?;
    if flags.starts_with('[') {
        return Some(flags.to_owned());
    }
    Some(flags[..flags_len(flags)].trim_end().to_owned())
}

/// Length of the flags at the start of `text`: capital letters, a blank for each that is not set.
fn flags_len(text: &str) -> usize {
    let flag = |word: &&str| word.trim().bytes().all(|byte| byte.is_ascii_uppercase());
    text.split_inclusive(' ').take_while(flag).map(str::len).sum()
}

/// The last word (`lib/dump_stack.c: dump_stack_print_info`).
fn build_id(state: &str) -> Option<String> {
    state.split(' ').next_back().filter(|word| frame::is_build_id(word)).map(str::to_owned)
}

/// The release and build number behind the taint.
fn kernel(state: &str) -> Option<String> {
    let rest = match state.strip_prefix("Not tainted") {
        Some(rest) => rest.trim(),
        None => {
            let flags = state.strip_prefix("Tainted: ")?;
            flags[flags_len(flags)..].trim()
        }
    };
    let rest = match rest.rsplit_once(' ') {
        Some((rest, id)) if frame::is_build_id(id) => rest.trim_end(),
        _ => rest,
    };
    (!rest.is_empty()).then(|| rest.to_owned())
}

/// The symbol of a line that shows the instruction pointer: `RIP: 0010:f+0x1/0x2`, `pc : f+0x1/0x2`, `PC is at f+0x1/0x2`,
/// before 4.10 `RIP: 0010:[<ffffffff81000000>]  [<ffffffff81000000>] f+0x1/0x2`.
pub(super) fn instruction_pointer(message: &str) -> Option<&str> {
    let text = message.trim_start();
    let at = [
        "RIP: ",
        "EIP: ",
        "EIP is at ",
        "IP: ",
        "pc : ",
        "pc: ",
        "PC is at ",
        "epc : ",
        "RIP  [",
        "NIP [",
        "Krnl PSW : ",
    ]
    .iter()
    .find_map(|head| text.strip_prefix(head))?;
    // 0010 is the kernel's code segment, 0033 and 0023 are user space's.
    if at.starts_with("0033:") || at.starts_with("0023:") {
        return None;
    }
    let symbol = at.strip_prefix("0010:").or_else(|| at.strip_prefix("0060:")).unwrap_or(at);
    let word = symbol.split_whitespace().find(|word| word.contains("+0x"));
    word.or_else(|| symbol.strip_suffix("[inline]")?.split_whitespace().next())
        .or(Some(symbol.trim()))
}

/// Adds the registers that a line shows, if it shows any.
pub(super) fn registers(message: &str, into: &mut BTreeMap<String, u64>) {
    let spaced = message.replace(" : ", ": ").replace(":", ": ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    for pair in words.windows(2) {
        let Some(name) = pair[0].strip_suffix(':').filter(|name| is_register(name)) else {
            continue;
        };
        let digits = pair[1].trim_end_matches(':');
        let wide = digits.len() >= 8 || pair[0] == "EFLAGS:" || pair[0] == "pstate:";
        if let Some(value) = wide.then(|| u64::from_str_radix(digits, 16).ok()).flatten() {
            into.entry(name.to_owned()).or_insert(value);
        }
    }
}

fn is_register(name: &str) -> bool {
    const NAMES: [&str; 36] = [
        "RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", "R08", "R09", "R10", "R11", "R12", "R13",
        "R14", "R15", "RSP", "EFLAGS", "CR0", "CR2", "CR3", "CR4", "sp", "pstate", "EAX", "EBX",
        "ECX", "EDX", "ESI", "EDI", "EBP", "ESP", "DR0", "DR6", "DR7", "PKRU", "FS",
    ];
    let arm = name
        .strip_prefix('x')
        .is_some_and(|number| number.parse::<u8>().is_ok_and(|number| number < 31));
    arm || NAMES.contains(&name)
}

/// The bytes of a `Code:` line.
pub(super) fn code(message: &str) -> Option<&str> {
    let code = message.trim_start().strip_prefix("Code: ")?;
    let fits = |word: &str| {
        word.trim_matches(['<', '>', '(', ')']).bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    code.split_whitespace().all(fits).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_line_is_taken_apart() {
        let got =
            identity("CPU: 1 UID: 0 PID: 42 Comm: my task Tainted: G    B   W          6.12.0 #1")
                .unwrap();
        assert_eq!(got.cpu, Some(1));
        assert_eq!(got.task, Some(Task { comm: "my task".into(), pid: 42 }));
        assert_eq!(
            (got.taint.as_deref(), got.kernel.as_deref()),
            (Some("G    B   W"), Some("6.12.0 #1"))
        );
        let got = identity("CPU: 0 PID: 1 Comm: init Not tainted 4.19.0 #2").unwrap();
        assert_eq!((got.taint, got.kernel.as_deref()), (None, Some("4.19.0 #2")));
        let got = identity(
            "CPU: 0 UID: 0 PID: 1 Comm: a Not tainted 6.12.0 #2 PREEMPT(full)  0123456789abcdef0123456789abcdef01234567",
        )
        .unwrap();
        assert_eq!(got.kernel.as_deref(), Some("6.12.0 #2 PREEMPT(full)"));
        assert!(got.build_id.is_some_and(|id| id.ends_with("4567")));
    }

    #[test]
    fn instruction_pointers_of_user_space_do_not_count() {
        assert_eq!(instruction_pointer("RIP: 0010:f+0x1/0x2 [ext4]"), Some("f+0x1/0x2"));
        assert_eq!(instruction_pointer("RIP: 0033:0x7f0123456789"), None);
        assert_eq!(instruction_pointer("pc : f+0x1/0x2"), Some("f+0x1/0x2"));
        assert_eq!(
            instruction_pointer("RIP: 0010:[<ffffffff81000000>]  [<ffffffff81000000>] f+0x1/0x2"),
            Some("f+0x1/0x2")
        );
    }

    #[test]
    fn registers_of_both_machines_are_read() {
        let mut got = BTreeMap::new();
        registers("RAX: 0000000000000001 RBX: ffff888012345678 RCX: 0000000000000002", &mut got);
        registers("x29: ffff800008003d80 x28: 0000000000000003 ", &mut got);
        assert_eq!((got["RAX"], got["RBX"], got["x28"]), (1, 0xffff_8880_1234_5678, 3));
    }
}
