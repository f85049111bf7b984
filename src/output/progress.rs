//! The bar at the bottom of a terminal; nothing where there is no terminal.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that counts tests and names those that run, and the way to print lines above it.
pub struct Progress {
    bar: ProgressBar,
    running: Mutex<BTreeMap<String, String>>,
    to_stderr: bool,
}

impl Progress {
    pub fn new(to_stderr: bool, has_bar: bool) -> Self {
        let target = if has_bar && std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            bar: ProgressBar::with_draw_target(None, target),
            running: Mutex::default(),
            to_stderr,
        }
    }

    pub fn begin(&self, tests: usize) {
        let template = "{spinner} [{elapsed_precise}] {bar:24} {pos}/{len} {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        self.bar.set_length(tests as u64);
        self.bar.enable_steady_tick(Duration::from_millis(120));
    }

    pub fn test_started(&self, id: &str) {
        self.test_phase(id, "starting");
    }

    pub fn test_phase(&self, id: &str, phase: &str) {
        self.change(|running| drop(running.insert(id.to_owned(), phase.to_owned())));
    }

    pub fn test_finished(&self, id: &str) {
        self.change(|running| drop(running.remove(id)));
        self.bar.inc(1);
    }

    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// Prints above the bar.
    pub fn println(&self, text: &str) {
        self.bar.suspend(|| {
            // A closed pipe is no reason to fail: the results are on disk.
            let _ = if self.to_stderr {
                writeln!(anstream::stderr(), "{text}")
            } else {
                writeln!(anstream::stdout(), "{text}")
            };
        });
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, String>)) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut running);
        let words: Vec<String> =
            running.iter().map(|(id, phase)| format!("{id} ({phase})")).collect();
        self.bar.set_message(words.join(", "));
    }
}
