//! Progress of long work: a line at the bottom of a terminal, plain lines elsewhere.

use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use guest_image::kernel::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a log without a terminal is told that work goes on.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// Tells the user of each stage on standard error; nothing with `--quiet`.
pub struct Stages {
    bar: ProgressBar,
    plain: bool,
    /// When something was last printed where there is no terminal.
    told: Cell<Instant>,
}

impl Stages {
    pub fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = match terminal && !quiet {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar, plain: !terminal && !quiet, told: Cell::new(Instant::now()) }
    }

    fn tell(&self, what: &str) {
        self.told.set(Instant::now());
        if self.plain {
            anstream::eprintln!("kharness: {what}");
        }
    }

    fn style(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
    }
}

impl Progress for Stages {
    fn stage(&self, what: &str) {
        self.style("{spinner} [{elapsed}] {msg}");
        self.bar.set_message(what.to_owned());
        self.tell(what);
    }

    fn tick(&self, done: u64, total: u64) {
        self.style("{spinner} [{elapsed}] {msg} {bar:24} {percent}%");
        self.bar.set_length(total);
        self.bar.set_position(done);
        if self.told.get().elapsed() > HEARTBEAT {
            self.tell(&format!("{done} of about {total}"));
        }
    }
}

impl Drop for Stages {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
