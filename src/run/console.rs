//! The console of one guest: kept on disk as it came, and read as it comes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use agent_protocol::STEP_MARKER;
use klog::{Item, Record, Report, Scanner};

/// Console lines kept in memory for expectations; the file has all of them.
const KEPT_LINES: usize = 200_000;
/// Reports kept in memory; a kernel that complains more often says nothing new.
const KEPT_REPORTS: usize = 1_000;

/// A line of the console and where it belongs.
#[derive(Debug, Clone)]
pub struct Line {
    /// What klog made of it.
    pub record: Record,
    /// Step that was running; `None` before the first and while the guest boots.
    pub step: Option<String>,
}

/// A kernel report and where it belongs.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What klog made of it.
    pub report: Report,
    /// Step that was running when the kernel began to print it.
    pub step: Option<String>,
}

impl Seen {
    /// Whether the kernel panicked in or right after this report.
    pub fn led_to_panic(&self) -> bool {
        self.report.panic.is_some() || self.report.kind.is_within("panic")
    }
}

/// Everything that a guest printed, and when which step was expected.
#[derive(Debug)]
pub struct Recording {
    bytes: Vec<u8>,
    expected: Vec<(u64, String)>,
}

/// Everything that a guest printed.
pub struct Console {
    path: PathBuf,
    file: File,
    scanner: Scanner,
    /// Step that the harness runs: only its marker counts, a guest program cannot claim another.
    running: Option<String>,
    /// Offsets from which on each step's lines come.
    marks: Vec<(u64, String)>,
    /// The steps that were expected so far, each with the bytes that there were before.
    expected: Vec<(u64, String)>,
    /// Lines so far, oldest first.
    pub lines: Vec<Line>,
    /// Reports so far, in the order of their starts.
    pub reports: Vec<Seen>,
    /// Bytes so far.
    pub bytes: u64,
}

impl Recording {
    /// What a guest printed while it booted, before any step.
    pub fn of_boot(bytes: Vec<u8>) -> Self {
        Self { bytes, expected: Vec::new() }
    }

    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Console {
    /// A console whose bytes go to `path`.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: File::create(path)?,
            scanner: Scanner::new(),
            running: None,
            marks: Vec::new(),
            expected: Vec::new(),
            lines: Vec::new(),
            reports: Vec::new(),
            bytes: 0,
        })
    }

    /// Says which step runs from now on.
    pub fn expect_marker(&mut self, step: &str) {
        self.expected.push((self.bytes, step.to_owned()));
        self.running = Some(step.to_owned());
    }

    /// Takes bytes as they came.
    ///
    /// # Errors
    /// When the file cannot be written: the words say which and why.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.bytes += bytes.len() as u64;
        self.scanner.feed(bytes);
        self.drain();
        self.file
            .write_all(bytes)
            .map_err(|error| format!("cannot write {}: {error}", self.path.display()))
    }

    /// Ends reports that are still open, because the guest has fallen silent.
    pub fn flush(&mut self) {
        if self.scanner.has_pending() {
            self.scanner.flush_pending();
            self.drain();
        }
    }

    /// Ends the console: nothing more is to come.
    pub fn finish(&mut self) {
        self.scanner.finish();
        self.drain();
        self.reports.sort_by_key(|seen| seen.report.start);
    }

    /// Drops the one warning that is no fault of the kernel's: an emulated Raspberry Pi runs on for a moment
    /// after its kernel has switched it off, and init comes back from the call that never returns, with
    /// interrupts off (kernel/reboot.c: `POWER_OFF` ends in `do_exit`, which warns).
    pub fn forget_life_after_power_down(&mut self) {
        let is_it = |line: &&Line| {
            !line.record.from_user && line.record.text.starts_with("reboot: Power down")
        };
        let Some(line) = self.lines.iter().rev().find(is_it) else { return };
        let down = line.record.start;
        self.reports.retain(|Seen { report, .. }| {
            let is_exit = report.function.as_deref() == Some("do_exit");
            !(report.start > down && is_exit && report.kind.is_within("warning"))
        });
    }

    /// Everything that the guest printed, for the consoles of its copies.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn record(self) -> io::Result<Recording> {
        Ok(Recording { bytes: fs::read(&self.path)?, expected: self.expected })
    }

    /// Takes what the guest printed that this one is a copy of.
    ///
    /// # Errors
    /// As [`Console::feed`].
    pub fn replay(&mut self, recording: &Recording) -> Result<(), String> {
        let mut fed = 0;
        for (offset, step) in &recording.expected {
            let offset = usize::try_from(*offset).unwrap_or(usize::MAX).min(recording.bytes.len());
            self.feed(&recording.bytes[fed..offset])?;
            self.expect_marker(step);
            fed = offset;
        }
        self.feed(&recording.bytes[fed..])
    }

    /// Whether the kernel has said that it is dead.
    pub fn panicked(&self) -> bool {
        self.reports.iter().any(Seen::led_to_panic)
    }

    fn drain(&mut self) {
        let items: Vec<Item> = self.scanner.drain().collect();
        for item in items {
            match item {
                Item::Record(record) => self.keep_line(record),
                Item::Report(report) => self.keep_report(*report),
            }
        }
    }

    fn keep_line(&mut self, record: Record) {
        if let Some(id) = record.text.strip_prefix(STEP_MARKER)
            && self.running.as_deref() == Some(id.trim_end())
        {
            self.marks.push((record.start, id.trim_end().to_owned()));
        }
        if self.lines.len() < KEPT_LINES {
            let step = self.step_at(record.start);
            self.lines.push(Line { record, step });
        }
    }

    fn keep_report(&mut self, report: Report) {
        if self.reports.len() < KEPT_REPORTS {
            let step = self.step_at(report.start);
            self.reports.push(Seen { report, step });
        }
    }

    fn step_at(&self, offset: u64) -> Option<String> {
        let after = self.marks.partition_point(|(start, _)| *start <= offset);
        after.checked_sub(1).map(|index| self.marks[index].1.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN: &str = "[  104.634370][    T1] reboot: Power down\n";
    const WARNING: &str = "[  104.711194][    T1] ------------[ cut here ]------------\n\
        [  104.722867][    T1] WARNING: kernel/exit.c:912 at do_exit+0x854/0xa5c, CPU#0: init/1\n\
        [  104.723733][    T1] CPU: 0 UID: 0 PID: 1 Comm: init Tainted: G  O  7.3.4 #1 PREEMPT  \n\
        [  104.743731][    T1] pc : do_exit+0x854/0xa5c\n\
        [  104.751710][    T1] lr : __do_sys_reboot+0x1dc/0x21c\n\
        [  104.761710][    T1] ---[ end trace 0000000000000000 ]---\n";

    fn reports_of(text: &str) -> usize {
        let dir = tempfile::tempdir().unwrap();
        let mut console = Console::create(&dir.path().join("console.log")).unwrap();
        console.feed(text.as_bytes()).unwrap();
        console.finish();
        console.forget_life_after_power_down();
        console.reports.len()
    }

    #[test]
    fn what_init_meets_after_a_power_down_is_no_report_and_before_it_is() {
        assert_eq!(reports_of(&format!("{DOWN}{WARNING}")), 0);
        assert_eq!(reports_of(WARNING), 1);
        assert_eq!(reports_of(&format!("{WARNING}{DOWN}")), 1);
        let other = WARNING.replace("do_exit", "native_power_off");
        assert_eq!(reports_of(&format!("{DOWN}{other}")), 1);
    }
}
