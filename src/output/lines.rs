//! JSON lines: one event a line, as the run goes.

use serde::Serialize;

use crate::results::{KernelInfo, RunInfo, SCHEMA, TestResult};

/// Something that happened to a run.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// It began.
    Started(&'a RunInfo, &'a [KernelInfo]),
    /// A test has ended.
    Result(&'a TestResult),
    /// It is over.
    Finished(&'a RunInfo),
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line<'a> {
    Started { schema: u32, run: &'a RunInfo, kernels: &'a [KernelInfo] },
    Result { result: &'a TestResult },
    Finished { run: &'a RunInfo },
}

impl Event<'_> {
    /// The event as a line, with its newline: `{"event":"started"|"result"|"finished", …}`.
    pub fn line(&self) -> String {
        let line = match *self {
            Self::Started(run, kernels) => Line::Started { schema: SCHEMA, run, kernels },
            Self::Result(result) => Line::Result { result },
            Self::Finished(run) => Line::Finished { run },
        };
        // Nothing in a result can fail to be JSON: all map keys are strings.
        let mut text = serde_json::to_string(&line).unwrap_or_default();
        text.push('\n');
        text
    }
}
