//! Progress of long work: a line at the bottom of a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use guest_image::kernel::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Tells the user of each stage on standard error; nothing with `--quiet`.
pub struct Stages {
    bar: ProgressBar,
    plain: bool,
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
        Self { bar, plain: !terminal && !quiet }
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
        if self.plain {
            anstream::eprintln!("kharness: {what}");
        }
    }

    fn tick(&self, done: u64, total: u64) {
        self.style("{spinner} [{elapsed}] {msg} {bar:24} {percent}%");
        self.bar.set_length(total);
        self.bar.set_position(done);
    }
}

impl Drop for Stages {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
