//! The stream: bytes in, records and reports out.

use std::collections::VecDeque;

use crate::analyse;
use crate::assemble::{Assembler, Draft};
use crate::detect;
use crate::record::{self, LineSplitter, RawLine};
use crate::{Class, Record, Report};

/// What a scanner finds.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A line.
    Record(Record),
    /// A report, given out after the records of its lines.
    Report(Box<Report>),
}

/// Reads a console as it comes.
///
/// Memory is bounded: by the reports that are open at the same time, each within a budget of lines, and by the items
/// that have not been drained.
#[derive(Debug, Default)]
pub struct Scanner {
    splitter: LineSplitter,
    engine: Engine,
}

#[derive(Debug, Default)]
struct Engine {
    assembler: Assembler,
    items: VecDeque<Item>,
    reports_only: bool,
    /// Where the last fault began.
    last_fault: Option<u64>,
}

impl Scanner {
    /// A scanner that gives out every line and every report.
    pub fn new() -> Self {
        Self::default()
    }

    /// A scanner that gives out reports only; several times faster on a log without any.
    pub fn reports_only() -> Self {
        let mut scanner = Self::default();
        scanner.engine.reports_only = true;
        scanner
    }

    /// Reads the next bytes of the stream.
    pub fn feed(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while !rest.is_empty() {
            rest = self.quiet_lines(rest);
            let line = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            self.splitter.feed(&rest[..line], |line| self.engine.line(line));
            rest = &rest[line..];
        }
    }

    /// Takes the whole lines at the start of `bytes` that cannot begin a report, and gives back what is behind them.
    fn quiet_lines<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if !self.splitter.at_line_start() || !self.engine.assembler.is_idle() {
            return bytes;
        }
        let until = detect::first_needle(bytes).unwrap_or(bytes.len());
        let quiet = memchr::memrchr(b'\n', &bytes[..until]).map_or(0, |at| at + 1);
        let (quiet, rest) = bytes.split_at(quiet);
        if self.engine.reports_only && self.engine.assembler.knows_stamps() {
            self.splitter.skip(quiet.len());
        } else {
            let plain = record::is_plain(quiet);
            self.splitter.feed(quiet, |line| self.engine.quiet_line(RawLine { plain, ..line }));
        }
        rest
    }

    /// Ends the stream: an unfinished line and unfinished reports are complete now.
    pub fn finish(&mut self) {
        self.splitter.finish(|line| self.engine.line(line));
        self.flush_pending();
    }

    /// Gives out the reports that are still open, as far as they have come: for a caller that cannot wait longer.
    pub fn flush_pending(&mut self) {
        self.engine.assembler.close_all();
        self.engine.collect();
    }

    /// Whether a report has begun whose end has not been seen.
    pub fn has_pending(&self) -> bool {
        !self.engine.assembler.is_idle()
    }

    /// What was found since the last call.
    pub fn drain(&mut self) -> impl Iterator<Item = Item> {
        self.engine.items.drain(..)
    }
}

impl Engine {
    fn line(&mut self, line: RawLine<'_>) {
        let telling = !self.assembler.is_idle() || detect::first_needle(line.bytes).is_some();
        if telling {
            record::records(line, |record| self.record(record));
        } else {
            self.quiet_line(line);
        }
    }

    /// A line without a needle, while no report is open.
    fn quiet_line(&mut self, line: RawLine<'_>) {
        self.assembler.skip_line(line.bytes);
        if !self.reports_only {
            record::records(line, |record| self.items.push_back(Item::Record(record)));
        }
    }

    fn record(&mut self, record: Record) {
        self.assembler.push(&record);
        if !self.reports_only {
            self.items.push_back(Item::Record(record));
        }
        self.collect();
    }

    fn give_out(&mut self, draft: &Draft) {
        if let Some(mut report) = analyse::report(draft) {
            self.relate(&mut report);
            self.items.push_back(Item::Report(Box::new(report)));
        }
    }

    /// A panic that says that it follows from a report does so from the last.
    fn relate(&mut self, report: &mut Report) {
        if report.kind.as_str() == "panic" {
            let follows = report.panic.as_deref().is_some_and(analyse::is_consequence);
            report.consequence_of = self.last_fault.filter(|_| follows);
        } else if report.class == Class::Fault {
            self.last_fault = Some(report.start);
        }
    }

    fn collect(&mut self) {
        if !self.assembler.has_done() {
            return;
        }
        for draft in self.assembler.drain() {
            self.give_out(&draft);
            draft.lost_detectors().for_each(|lost| self.give_out(&lost));
        }
    }
}

/// Every report of a log that is in memory.
pub fn reports(log: &[u8]) -> Vec<Report> {
    let mut scanner = Scanner::reports_only();
    scanner.feed(log);
    scanner.finish();
    let reports = scanner.drain().filter_map(|item| match item {
        Item::Report(report) => Some(*report),
        Item::Record(_) => None,
    });
    let mut reports: Vec<Report> = reports.collect();
    reports.sort_by_key(|report| report.start);
    reports
}
