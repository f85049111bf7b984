//! However long a log, a line or a report is, little of it is kept.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use klog::Scanner;

/// Kilobytes by which the process may grow meanwhile; a report that is kept takes several times its text.
const ROOM: u64 = 12 << 10;

/// The most memory that this process had, in kilobytes (`VmHWM`, proc_pid_status(5)).
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn memory_does_not_grow_with_the_log() {
    let contexts = (0..200)
        .map(|task| format!("[    1.000000][ T{task}] BUG: KASAN: use-after-free in f+0x1/0x2\n"));
    let logs: [(usize, String); 5] = [
        // One line without an end.
        (24 << 20, "x".repeat(4096)),
        // One report without an end.
        (
            8 << 20,
            "[    1.000000] ------------[ cut here ]------------\n".to_owned()
                + &"[    1.000000]  f+0x1/0x2\n".repeat(300_000),
        ),
        // Reports of many contexts that never end.
        (1 << 20, contexts.collect()),
        // Nothing but reports.
        (
            1 << 20,
            "[    1.000000] WARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2\n[    1.000000]  g+0x1/0x2\n"
                .to_owned(),
        ),
        // Nothing but clean lines.
        (16 << 20, "[    1.000000] usb 1-1: new device\n".repeat(100)),
    ];
    let before = peak();
    for (bytes, unit) in logs {
        let mut scanner = Scanner::new();
        for _ in 0..bytes.div_ceil(unit.len()) {
            for chunk in unit.as_bytes().chunks(1 << 16) {
                scanner.feed(chunk);
                scanner.drain().for_each(drop);
            }
        }
        scanner.finish();
    }
    let grown = peak() - before;
    assert!(grown < ROOM, "{grown} kB more");
}
