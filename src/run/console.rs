//! The console of one guest: kept on disk as it came, and read as it comes.

use std::fs::File;
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

/// Everything that a guest printed.
pub struct Console {
    path: PathBuf,
    file: File,
    scanner: Scanner,
    /// Step that the harness runs: only its marker counts, a guest program cannot claim another.
    running: Option<String>,
    /// Offsets from which on each step's lines come.
    marks: Vec<(u64, String)>,
    /// Lines so far, oldest first.
    pub lines: Vec<Line>,
    /// Reports so far, in the order of their starts.
    pub reports: Vec<Seen>,
    /// Bytes so far.
    pub bytes: u64,
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
            lines: Vec::new(),
            reports: Vec::new(),
            bytes: 0,
        })
    }

    /// Says which step runs from now on.
    pub fn expect_marker(&mut self, step: &str) {
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

    /// Whether the kernel has said that it is dead.
    pub fn panicked(&self) -> bool {
        self.reports.iter().any(Seen::led_to_panic)
    }

    fn drain(&mut self) {
        let items: Vec<Item> = self.scanner.drain().collect();
        for item in items {
            match item {
                Item::Record(record) => self.keep_line(record),
                Item::Report(report) => self.keep_report(report),
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
