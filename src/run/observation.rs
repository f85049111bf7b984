//! What was seen of one guest, from its first byte to its end.

use std::time::Duration;

use agent_protocol::Ended;

use super::console::Console;
use super::counters::Counters;
use super::halt::Halt;
use super::ktap::Ktap;
use crate::memory::{Lost, Memory};
use crate::results::StepStatus;

/// Everything that a verdict may rest on.
pub struct Observation {
    /// The agent's first message; absent when it never came.
    pub boot: Option<Boot>,
    /// Every step of the scenario, in its order; those not reached too.
    pub steps: Vec<StepRun>,
    /// What the guest printed.
    pub console: Console,
    /// Results of tests in modules.
    pub ktap: Vec<Ktap>,
    /// Modules made of tests that were loaded: each must have results.
    pub suites: Vec<String>,
    /// Counters before the first step.
    pub before: Option<Counters>,
    /// Counters after the last step; absent when the guest did not live that long.
    pub after: Option<Counters>,
    /// What the machine counted of itself, by name; nothing where it does not count.
    pub counted: Vec<(String, f64)>,
    /// Why the guest was not driven any further; absent after an orderly end.
    pub halt: Option<Halt>,
    /// What was saved of its memory.
    pub memory: Memory,
    /// What the console lost of the log, where the two were compared.
    pub lost: Option<Lost>,
}

/// A guest that came up.
#[derive(Debug, Clone)]
pub struct Boot {
    /// From the start of the machine to the agent's first message.
    pub after: Duration,
    /// `uname -r`.
    pub release: String,
    /// What the agent could not set up.
    pub warnings: Vec<String>,
}

/// What became of one step.
#[derive(Debug, Clone)]
pub struct StepRun {
    /// Its id.
    pub id: String,
    /// The key that names its kind in a scenario.
    pub kind: &'static str,
    /// What became of it.
    pub status: StepStatus,
    /// Since the start of the machine.
    pub start: Duration,
    /// How long it took.
    pub duration: Duration,
    /// How its program ended.
    pub ended: Option<Ended>,
    /// Why it failed.
    pub message: Option<String>,
    /// Standard output of its program.
    pub stdout: Captured,
    /// Standard error of its program.
    pub stderr: Captured,
}

impl StepRun {
    /// A step that was not reached yet.
    pub fn new(id: &str, kind: &'static str) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            status: StepStatus::NotRun,
            start: Duration::ZERO,
            duration: Duration::ZERO,
            ended: None,
            message: None,
            stdout: Captured::default(),
            stderr: Captured::default(),
        }
    }

    /// Whether its program, where it had one, exited with 0, and it was carried out otherwise.
    pub fn succeeded(&self) -> bool {
        self.status == StepStatus::Done
            && self.ended.as_ref().is_none_or(|ended| ended.code == Some(0))
    }
}

/// The start of a stream; what is past [`Captured::LIMIT`] is counted only.
#[derive(Debug, Clone, Default)]
pub struct Captured {
    bytes: Vec<u8>,
    dropped: usize,
}

impl Captured {
    /// Bytes kept.
    const LIMIT: usize = 1 << 20;

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = Self::LIMIT.saturating_sub(self.bytes.len()).min(bytes.len());
        self.bytes.extend_from_slice(&bytes[..room]);
        self.dropped += bytes.len() - room;
    }

    /// The text, with a last line that says what was cut.
    pub fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.bytes).into_owned();
        if self.dropped > 0 {
            text.push_str(&format!("\n[{} more bytes were dropped]\n", self.dropped));
        }
        text
    }
}
