//! A report whose end has not been seen.

use std::ops::Range;

use super::body::{self, Shape};
use crate::Record;
use crate::detect::{Headline, Rank};

/// Lines of a report that are kept; the rest only moves its end. A task dump of an OOM kill on a busy machine has a
/// few thousand.
const MAX_LINES: usize = 6000;
/// Bytes of text that are kept.
const MAX_BYTES: usize = 1 << 20;
/// Lines in a row that do not look like a report's before it is taken to be over.
const MAX_STRANGERS: usize = 24;
/// The same behind an end marker.
const MAX_STRANGERS_IN_TAIL: usize = 4;
/// Silence in the same context that ends a report: longer than a stalled processor takes to answer an NMI (10 s,
/// `lib/nmi_backtrace.c`).
const MAX_SILENCE_US: u64 = 30_000_000;

/// A line of a report.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub text: String,
    pub headline: Option<Headline>,
    /// Where it lies in the stream.
    pub range: Range<u64>,
}

/// The lines of a report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub lines: Vec<Line>,
    pub start: u64,
    pub end: u64,
    pub timestamp_us: Option<u64>,
    /// Whether only a stack can prove this report, because the kernel's other lines are stamped and this is not.
    pub doubtful: bool,
    /// Whether the kernel stamped the first line.
    pub stamped: bool,
    /// Whether lines were left out for the budget.
    pub cut: bool,
}

impl Draft {
    /// Lines inside a report about something else that say that a detector is off: each is a report of its own, too.
    pub fn lost_detectors(&self) -> impl Iterator<Item = Self> {
        let says = |line: &&Line| {
            line.headline.as_ref().is_some_and(|headline| headline.kind.is_within("detector-lost"))
        };
        let mut about = self.lines.iter().filter_map(|line| line.headline.as_ref());
        let other = about.any(|headline| !headline.kind.is_within("detector-lost"));
        self.lines.iter().filter(says).filter(move |_| other).map(|line| Self {
            lines: vec![line.clone()],
            start: line.range.start,
            end: line.range.end,
            timestamp_us: self.timestamp_us,
            doubtful: self.doubtful,
            stamped: self.stamped,
            cut: false,
        })
    }
}

/// What a line does to an open report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is part of the report, or may be.
    Taken,
    /// The report was over before it.
    Over,
}

#[derive(Debug)]
pub(super) struct OpenReport {
    pub draft: Draft,
    strangers: usize,
    bytes: usize,
    tail: bool,
    last_us: Option<u64>,
    pub adopts: bool,
}

impl OpenReport {
    /// Opens with a headline, or with a framing line whose headline is still to come.
    pub fn new(record: &Record, headline: Option<Headline>) -> Self {
        let mut report = Self {
            draft: Draft {
                start: record.start,
                timestamp_us: record.timestamp_us,
                stamped: record.stamped,
                ..Draft::default()
            },
            strangers: 0,
            bytes: 0,
            tail: false,
            last_us: record.timestamp_us,
            adopts: false,
        };
        report.take(record, headline);
        report
    }

    /// Whether a headline has been seen.
    pub fn is_named(&self) -> bool {
        self.headlines().next().is_some()
    }

    pub fn headlines(&self) -> impl Iterator<Item = &Headline> {
        self.draft.lines.iter().filter_map(|line| line.headline.as_ref())
    }

    /// Offers a line of the report's context that is no headline of another report.
    pub fn offer(&mut self, record: &Record) -> Step {
        if self.is_stale(record.timestamp_us) {
            return Step::Over;
        }
        match body::shape(&record.text) {
            Shape::Body if self.tail && !body::fits_tail(&record.text) => Step::Over,
            Shape::Body => {
                self.take(record, None);
                Step::Taken
            }
            Shape::End => {
                self.take(record, None);
                self.tail = true;
                Step::Taken
            }
            Shape::Stranger => self.meet_stranger(record),
        }
    }

    /// Whether the report's context has been silent for too long before `now`.
    pub fn is_stale(&self, now: Option<u64>) -> bool {
        match (self.last_us, now) {
            (Some(last), Some(now)) => now.saturating_sub(last) > MAX_SILENCE_US,
            _ => false,
        }
    }

    /// Whether a record is the last one again, behind `** replaying previous printk message **`
    /// (until 4.14,
    /// `kernel/printk/printk.c: console_unlock`).
    pub fn is_replayed(&self, record: &Record) -> bool {
        let last = self.draft.lines.last();
        record.timestamp_us.is_some()
            && record.timestamp_us == self.last_us
            && last.is_some_and(|line| line.text == record.text)
    }

    /// Adds a line.
    pub fn take(&mut self, record: &Record, headline: Option<Headline>) {
        if headline.as_ref().is_some_and(|headline| headline.rank == Rank::Panic) {
            self.tail = false;
        }
        self.strangers = 0;
        self.draft.end = record.end;
        self.last_us = record.timestamp_us.or(self.last_us);
        self.adopts |= body::asks_other_cpus(&record.text);
        self.keep(record, headline);
    }

    fn meet_stranger(&mut self, record: &Record) -> Step {
        self.strangers += 1;
        let limit = if self.tail { MAX_STRANGERS_IN_TAIL } else { MAX_STRANGERS };
        if self.strangers > limit {
            return Step::Over;
        }
        // Kept for the message of a WARN; the report's end stays where its last own line ended.
        self.keep(record, None);
        Step::Taken
    }

    fn keep(&mut self, record: &Record, headline: Option<Headline>) {
        let full =
            self.draft.lines.len() >= MAX_LINES || self.bytes + record.text.len() > MAX_BYTES;
        if full {
            self.draft.cut = true;
            return;
        }
        self.bytes += record.text.len();
        let range = record.start..record.end;
        self.draft.lines.push(Line { text: record.text.clone(), headline, range });
    }
}
