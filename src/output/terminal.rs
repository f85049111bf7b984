//! Lines for a terminal or a log, in the manner of cargo-nextest.

use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::detail;
use super::progress::Progress;
use super::rates::rates;
use super::words::{count, summary};
use crate::results::{Document, RunInfo, Status, TestResult};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const ODD: Style = AnsiColor::Yellow.on_default().bold();
const NAME: Style = Style::new().bold();

/// Prints a run as it goes. All methods may be called from any thread.
pub struct Terminal {
    progress: Progress,
    quiet: bool,
}

impl Terminal {
    /// `quiet` leaves out everything but what went wrong; `to_stderr` keeps standard output free.
    pub fn new(quiet: bool, to_stderr: bool) -> Self {
        Self { progress: Progress::new(to_stderr, true), quiet }
    }

    /// The same on standard error and without a bar: what is in the guest has the terminal.
    pub fn for_shell(quiet: bool) -> Self {
        Self { progress: Progress::new(true, false), quiet }
    }

    /// The run begins.
    pub fn started(&self, run: &RunInfo, tests: usize, kernels: &[String]) {
        self.progress.begin(tests);
        if self.quiet {
            return;
        }
        self.line(
            GOOD,
            "Starting",
            &format!("{} · kernel {}", count(tests, "test"), kernels.join(", ")),
        );
        self.line(GOOD, "Backend", &format!("{}: {}", run.backend, run.backend_reason));
    }

    /// Something about the run as a whole.
    pub fn note(&self, word: &str, text: &str) {
        if !self.quiet {
            self.line(GOOD, word, text);
        }
    }

    /// Something that needs to be seen, however quiet the run is to be.
    pub fn warning(&self, word: &str, text: &str) {
        self.line(BAD, word, text);
    }

    /// Lines as they are.
    pub fn block(&self, text: &str) {
        self.progress.println(text);
    }

    /// A test begins.
    pub fn test_started(&self, id: &str) {
        self.progress.test_started(id);
    }

    /// What a running test is at: `booting`, or a step.
    pub fn test_phase(&self, id: &str, phase: &str) {
        self.progress.test_phase(id, phase);
    }

    /// A test has ended.
    pub fn test_finished(&self, result: &TestResult) {
        self.progress.test_finished(&result.id);
        if self.quiet && result.status.is_good() {
            return;
        }
        let time = format!("[{:>8.3}s]", Duration::from_millis(result.duration_ms).as_secs_f64());
        let cause = result.cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
        let text = format!("{time} {NAME}{}{NAME:#}{cause}", result.id);
        self.line(style(result.status), &result.status.to_string().to_uppercase(), &text);
    }

    /// The run has ended: details of what went wrong, and the sum.
    pub fn finished(&self, document: &Document) {
        self.progress.end();
        for result in document.results.iter().filter(|result| !result.status.is_good()) {
            self.progress.println(&detail::of(result, style(result.status)));
        }
        for rate in rates(&document.results) {
            self.line(ODD, "Rate", &rate);
        }
        for entry in &document.stale_allowances {
            self.line(ODD, "Allowed", &entry.to_string());
        }
        let good = document.results.iter().all(|result| result.status.is_good());
        if self.quiet && good {
            return;
        }
        let time = Duration::from_millis(document.run.duration_ms).as_secs_f64();
        let sum = summary(&document.results);
        self.line(if good { GOOD } else { BAD }, "Summary", &format!("[{time:>8.3}s] {sum}"));
        if document.run.interrupted {
            self.line(ODD, "Interrupted", "the run was stopped; what had not ended is not counted");
        }
        self.line(Style::new(), "Results", &document.run.dir);
    }

    fn line(&self, style: Style, word: &str, text: &str) {
        self.progress.println(&format!("{style}{word:>12}{style:#} {text}"));
    }
}

fn style(status: Status) -> Style {
    match status {
        Status::Pass | Status::Xfail => GOOD,
        Status::Fail | Status::Crash | Status::Timeout | Status::Xpass | Status::Error => BAD,
        Status::Skip | Status::Flaky => ODD,
    }
}
