//! What the console lost of the kernel's log, by comparing it with the log in memory.

use std::collections::HashSet;
use std::fmt;

use inspect::state::LogRecord;

use crate::run::Line;

/// Log lines that never came through the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The lines, as the console would have printed them.
    pub lines: Vec<String>,
    /// Lines in the log in memory.
    pub of: usize,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lost, of) = (self.lines.len(), self.of);
        write!(
            f,
            "console and log differ: {lost} of {of} lines of the kernel's log never came through the \
             console; they are at the end of console.log, from guest memory"
        )
    }
}

/// What is in the log in memory and not on the console. A console line may have been cut or mixed with
/// another one: then it counts as lost, too.
pub fn lost(console: &[Line], log: &[LogRecord]) -> Lost {
    let printed: HashSet<&str> = console.iter().map(|line| line.record.text.trim_end()).collect();
    let lines =
        log.iter().flat_map(|record| record.text.split('\n').map(move |line| (record, line)));
    let (mut missing, mut of) = (Vec::new(), 0);
    for (record, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        of += 1;
        if !printed.contains(line.trim_end()) {
            missing.push(as_printed(record, line));
        }
    }
    Lost { lines: missing, of }
}

fn as_printed(record: &LogRecord, line: &str) -> String {
    let (seconds, micros) = (record.time_ns / 1_000_000_000, record.time_ns / 1000 % 1_000_000);
    format!("[{seconds:>5}.{micros:06}] {line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> LogRecord {
        LogRecord {
            sequence: 0,
            time_ns: 1_500_000_000,
            level: 4,
            facility: 0,
            caller: String::new(),
            text: text.into(),
        }
    }

    fn console(bytes: &[u8]) -> Vec<Line> {
        let mut scanner = klog::Scanner::new();
        scanner.feed(bytes);
        scanner.finish();
        scanner
            .drain()
            .filter_map(|item| match item {
                klog::Item::Record(record) => Some(Line { record, step: None }),
                klog::Item::Report(_) => None,
            })
            .collect()
    }

    #[test]
    fn what_the_console_printed_is_not_lost_and_the_rest_is_in_the_form_of_the_console() {
        let printed = console(b"[    1.000000] first\r\n[    1.100000] second of\r\n");
        let lost = lost(&printed, &[record("first"), record("second of\ntwo lines")]);
        assert_eq!(lost.lines, ["[    1.500000] two lines"]);
        assert_eq!(lost.of, 3);
    }
}
