//! Sorts records into reports by who printed them.

use std::collections::HashMap;
use std::mem;

use super::body;
use super::open::{Draft, OpenReport, Step};
use crate::detect::{self, Headline, Opening, Rank, Recipe};
use crate::{Caller, Record};

/// Reports open at the same time; more processors than that do not crash at once.
const MAX_CONTEXTS: usize = 32;
/// Lines between a framing line and the headline that it announces.
const MAX_PREAMBLE: usize = 40;
/// Lines that the kernel may print between a report's lines, whoever prints them.
const MAX_AGE: u64 = 4000;
/// Stamped lines after which an unstamped line is taken for a program's.
const STAMPS_THE_RULE: u64 = 8;

/// Who prints: lines of different contexts never belong to one report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Context {
    Bare,
    Stamped,
    By(Caller),
}

/// What the log has shown of the kernel's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Life {
    /// Nothing yet: the log may begin anywhere.
    #[default]
    Unknown,
    Running,
    /// It was told to stop or restart (`kernel/reboot.c`).
    Down,
    /// Firmware or a boot loader runs.
    Starting,
}

/// Collects the lines of reports.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    open: HashMap<Context, (OpenReport, u64)>,
    /// Processors that answer a report's call for backtraces, and that report's context.
    adopted: HashMap<Context, Context>,
    adopter: Option<Context>,
    done: Vec<Draft>,
    stamped_lines: u64,
    lines: u64,
    life: Life,
}

impl Assembler {
    /// Whether a line without a needle can mean nothing now.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether enough stamped lines were seen to know that the kernel stamps its lines; from then on they need not be
    /// counted.
    pub fn knows_stamps(&self) -> bool {
        self.stamped_lines > STAMPS_THE_RULE
    }

    /// Notes a line that cannot begin a report, while none is open.
    pub fn skip_line(&mut self, bytes: &[u8]) {
        self.lines += 1;
        self.stamped_lines += u64::from(bytes.starts_with(b"[") || bytes.starts_with(b"<"));
    }

    /// Takes one record.
    pub fn push(&mut self, record: &Record) {
        self.lines += 1;
        self.stamped_lines += u64::from(record.stamped);
        if record.from_user {
            return;
        }
        if record.stamped && record.text.starts_with("reboot: ") {
            self.life = Life::Down;
        }
        self.retire(record.timestamp_us);
        let context = self.context(record);
        let headline = headline(record).filter(|headline| self.believes(record, headline));
        match headline {
            Some(headline) => self.push_headline(context, record, headline),
            None => self.push_line(context, record),
        }
        self.find_adopter(context);
    }

    /// Closes every report.
    pub fn close_all(&mut self) {
        let mut contexts: Vec<Context> = self.open.keys().copied().collect();
        contexts.sort_unstable();
        for context in contexts {
            self.close(context);
        }
    }

    /// Whether [`Self::drain`] would give something.
    pub fn has_done(&self) -> bool {
        !self.done.is_empty()
    }

    /// The reports that are complete, in the order of the log.
    pub fn drain(&mut self) -> Vec<Draft> {
        let mut done = mem::take(&mut self.done);
        done.sort_by_key(|draft| draft.start);
        done
    }

    /// A boot banner, or a boot loader's, is a report where the kernel was running before it and had not been shut down.
    fn believes(&mut self, record: &Record, headline: &Headline) -> bool {
        if headline.kind.as_str() != "reboot" {
            return true;
        }
        let loader = detect::is_boot_loader(&record.text);
        if loader && record.stamped {
            return false;
        }
        let after = if loader { Life::Starting } else { Life::Running };
        let before = mem::replace(&mut self.life, after);
        before == Life::Running || (before == Life::Unknown && self.knows_stamps())
    }

    fn context(&self, record: &Record) -> Context {
        let own = match record.caller {
            Some(caller) => Context::By(caller),
            None if record.stamped => Context::Stamped,
            None => Context::Bare,
        };
        if self.open.contains_key(&own) {
            return own;
        }
        self.adopted.get(&own).copied().unwrap_or(own)
    }

    fn push_headline(&mut self, context: Context, record: &Record, headline: Headline) {
        match self.open.get_mut(&context) {
            Some((report, seen))
                if (joins(report, &headline) || report.is_replayed(record))
                    && !report.is_stale(record.timestamp_us) =>
            {
                *seen = self.lines;
                report.take(record, Some(headline));
            }
            _ => {
                self.close(context);
                self.start(context, record, Some(headline));
            }
        }
    }

    fn push_line(&mut self, context: Context, record: &Record) {
        let opening = detect::opening(&record.text);
        let Some((report, seen)) = self.open.get_mut(&context) else {
            return self.open_or_adopt(context, record, opening);
        };
        *seen = self.lines;
        if opening == Some(Opening::CutHere) && report.is_named() && !report.expects_cut() {
            self.close(context);
            return self.start(context, record, None);
        }
        let over = report.offer(record) == Step::Over;
        let lost = !report.is_named() && report.draft.lines.len() > MAX_PREAMBLE;
        if over || lost {
            self.close(context);
            self.open_or_adopt(context, record, opening);
        }
    }

    fn open_or_adopt(&mut self, context: Context, record: &Record, opening: Option<Opening>) {
        if opening.is_some() {
            self.start(context, record, None);
        } else if let Some(adopter) = self.adopter
            && matches!(context, Context::By(Caller::Cpu(_)))
            && body::is_cpu_backtrace(&record.text)
        {
            self.adopted.insert(context, adopter);
            self.push_line(adopter, record);
        }
    }

    fn start(&mut self, context: Context, record: &Record, headline: Option<Headline>) {
        if self.open.len() >= MAX_CONTEXTS
            && let Some(oldest) =
                self.open.iter().min_by_key(|(_, (_, seen))| *seen).map(|(context, _)| *context)
        {
            self.close(oldest);
        }
        let mut report = OpenReport::new(record, headline);
        // The kernel never stamps what a boot loader prints.
        let loader = detect::is_boot_loader(&record.text);
        report.draft.doubtful = context == Context::Bare && self.knows_stamps() && !loader;
        self.open.insert(context, (report, self.lines));
    }

    fn close(&mut self, context: Context) {
        let Some((report, _)) = self.open.remove(&context) else { return };
        self.adopted.retain(|_, adopter| *adopter != context);
        if self.adopter == Some(context) {
            self.adopter = None;
        }
        self.done.push(report.draft);
    }

    fn find_adopter(&mut self, context: Context) {
        if self.open.get(&context).is_some_and(|(report, _)| report.adopts) {
            self.adopter = Some(context);
        }
    }

    /// Closes reports whose context has been silent for long.
    fn retire(&mut self, now: Option<u64>) {
        if self.open.is_empty() {
            return;
        }
        let lines = self.lines;
        let old =
            |(report, seen): &(OpenReport, u64)| lines - seen > MAX_AGE || report.is_stale(now);
        let mut stale: Vec<Context> =
            self.open.iter().filter(|(_, entry)| old(entry)).map(|(context, _)| *context).collect();
        stale.sort_unstable();
        for context in stale {
            self.close(context);
        }
    }
}

/// The report that a record begins. The prefilter spares the lines of reports the detailed look.
fn headline(record: &Record) -> Option<Headline> {
    detect::first_needle(record.text.as_bytes())?;
    detect::headline(&record.text)
}

/// Whether a headline belongs to the report that is open in its context.
fn joins(report: &OpenReport, headline: &Headline) -> bool {
    if !report.is_named() {
        return true;
    }
    let last = report
        .headlines()
        .filter(|headline| headline.rank != Rank::Note)
        .last()
        .map(|headline| headline.rank);
    match headline.rank {
        Rank::Note | Rank::Panic => true,
        Rank::Die => continues(report, headline),
        Rank::Main => {
            last == Some(Rank::Lead)
                || slab_warning(report, headline)
                || goes_on(report, headline)
                || alignment_fault(report, headline)
        }
        // Before 6.14 the bytes stand behind the report's own line.
        Rank::Lead => {
            let slab = headline.kind.is_within("slab")
                && report.headlines().all(|first| first.kind.is_within("slab"));
            slab || explains_warning(report)
        }
    }
}

/// Since 6.14 every slab corruption ends in a `WARN` (`mm/slub.c: slab_err`, `object_err`).
fn slab_warning(report: &OpenReport, headline: &Headline) -> bool {
    let mut mains = report.headlines().filter(|headline| headline.rank == Rank::Main);
    let slab = mains.next().is_some_and(|first| first.kind.is_within("slab"));
    slab && mains.next().is_none() && headline.kind.as_str() == "warning"
}

/// Until 4.14 the words of a `WARN` stand behind its line, not in front of it (`kernel/panic.c: __warn`).
fn explains_warning(report: &OpenReport) -> bool {
    let last = report.draft.lines.last().and_then(|line| line.headline.as_ref());
    last.is_some_and(|last| last.kind.as_str() == "warning")
}

/// A symbolised log repeats the headline for each function that was inlined (`scripts/decode_stacktrace.sh` and its
/// like).
fn goes_on(report: &OpenReport, headline: &Headline) -> bool {
    let last = report.draft.lines.last().and_then(|line| line.headline.as_ref());
    let sanitizers = ["kasan", "kfence", "kmsan", "ubsan", "warning", "bug"];
    last.is_some_and(|last| last.kind == headline.kind)
        && sanitizers.contains(&headline.kind.family())
}

/// arm prints two lines for an access that is not aligned (`arch/arm/mm/alignment.c: do_alignment`).
fn alignment_fault(report: &OpenReport, headline: &Headline) -> bool {
    let alone = report.draft.lines.len() == 1;
    alone
        && headline.kind.as_str() == "oops.unhandled-fault"
        && report.headlines().all(|first| first.kind.as_str() == "oops.alignment")
}

/// Whether a second line of a fault (or of an OOM kill) belongs to the first.
fn continues(report: &OpenReport, die: &Headline) -> bool {
    let oom = die.kind.is_within("oom");
    let fits = |first: &Headline| {
        if oom { first.kind.is_within("oom") } else { first.recipe == Recipe::Exception }
    };
    let said = |first: &&Headline| !matches!(first.rank, Rank::Lead | Rank::Note);
    report.headlines().filter(said).all(|first| first.rank != Rank::Die && fits(first))
}

impl OpenReport {
    /// A message in front of a `BUG` or `WARN` is followed by that one's cut line.
    fn expects_cut(&self) -> bool {
        let leads =
            |headline: &Headline| headline.rank == Rank::Lead || headline.kind.is_within("slab");
        self.headlines().filter(|headline| headline.rank != Rank::Note).all(leads)
    }
}
