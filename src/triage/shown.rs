//! A report with what is worked out about it outside the log.

use klog::{Frame, Report};
use serde::Serialize;

use crate::results::FrameResult;
use crate::symbols::{self, Instruction, Symbols};

/// Instructions in front of the trapping one that are shown.
const AROUND: usize = 3;

/// A report as triage prints it.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The report; its frames have source lines where there are symbols.
    #[serde(flatten)]
    pub report: Report,
    /// The `Code:` line as instructions.
    pub instructions: Vec<Instruction>,
    /// Why there are no source lines although there are symbols.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbols: Option<String>,
}

impl Shown {
    /// `report` with its instructions, and with source lines where `symbols` has them.
    pub fn new(mut report: Report, symbols: Option<&Symbols>) -> Self {
        let note = symbols.and_then(|symbols| symbols::resolve(symbols, &mut report));
        let instructions = report.code.as_deref().map(symbols::disassemble).unwrap_or_default();
        Self { report, instructions, symbols: note }
    }

    /// The trapping instruction and those around it, as lines.
    pub fn code_lines(&self) -> impl Iterator<Item = String> {
        let all = &self.instructions;
        let trap = all.iter().position(|instruction| instruction.trapping);
        let near = trap.map_or(0..0, |at| at.saturating_sub(AROUND)..(at + 2).min(all.len()));
        all[near].iter().map(|instruction| {
            let mark = if instruction.trapping { "=>" } else { "  " };
            format!("{mark} {:+4}: {}", instruction.offset, instruction.text)
        })
    }

    /// Where it was raised: the place of the exception, then `frames` frames of the stack.
    pub fn place(&self, frames: usize) -> Vec<FrameResult> {
        let stack = self.report.frames.iter().filter(|frame| frame.reliable);
        let pointer = self.report.instruction_pointer.as_ref();
        let pointer = pointer.filter(|pointer| !stack.clone().any(|frame| same(frame, pointer)));
        pointer.into_iter().chain(stack.take(frames)).map(FrameResult::from).collect()
    }
}

/// A stack can begin with the place of the exception.
fn same(frame: &Frame, pointer: &Frame) -> bool {
    frame.function == pointer.function && frame.offset == pointer.offset && !frame.inlined
}
