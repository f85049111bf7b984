//! Finds the stack traces of a report.

use super::skip::{Skip, skips};
use super::{frame, machine};
use crate::assemble::Line;
use crate::{Frame, Stack, StackRole};

/// A stack trace with what is needed to choose a frame from it.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    pub stack: Stack,
    /// The instruction pointer printed above the trace.
    pub pointer: Option<String>,
    /// Whether that lies in a module.
    pub pointer_in_module: bool,
    /// Index of the frame that was interrupted, where the trace shows registers in between.
    pub interrupted: Option<usize>,
    /// Index of the first frame below an interrupt's stack.
    pub irq_end: Option<usize>,
}

/// The stacks of a report, in the order of the log.
pub(super) fn find(lines: &[Line]) -> Vec<Trace> {
    let mut finder = Finder::default();
    for line in lines {
        finder.line(&line.text);
    }
    finder.finish();
    finder.traces
}

struct Finder {
    traces: Vec<Trace>,
    role: StackRole,
    header: String,
    pointer: Option<String>,
    pointer_in_module: bool,
    interrupted: Option<usize>,
    irq_end: Option<usize>,
    frames: Vec<Frame>,
    /// From here on only bystanders are shown.
    bystanders: bool,
}

impl Default for Finder {
    fn default() -> Self {
        Self {
            traces: Vec::new(),
            role: StackRole::Trace,
            header: String::new(),
            pointer: None,
            pointer_in_module: false,
            interrupted: None,
            irq_end: None,
            frames: Vec::new(),
            bystanders: false,
        }
    }
}

impl Finder {
    fn line(&mut self, message: &str) {
        let text = crate::detect::text::without_subsystem(message.trim_start());
        if let Some(frame) = frame::parse(message) {
            self.frames.push(frame);
        } else if is_summary(text) && !self.frames.is_empty() {
            self.finish();
        } else if let Some(symbol) = machine::instruction_pointer(text) {
            self.pointer_in_module |= self.frames.is_empty() && is_of_module(text);
            self.instruction_pointer(symbol);
        } else if marks_end_of_irq(text) && !self.frames.is_empty() {
            self.irq_end = self.irq_end.or(Some(self.frames.len()));
        } else if let Some(role) = role(text) {
            self.begin(role, text);
        } else if is_trace_header(text) && !self.frames.is_empty() {
            self.finish();
        }
    }

    fn instruction_pointer(&mut self, symbol: &str) {
        let name = frame::function_name(symbol);
        if self.frames.is_empty() {
            let known = self.pointer.take();
            let telling = known.clone().filter(|name| !skips(name, Skip::Common));
            self.pointer = telling.or(name).or(known);
            return;
        }
        self.interrupted = self.interrupted.or(Some(self.frames.len()));
        let Some(name) = name else { return };
        self.frames.push(Frame {
            symbol: name.clone(),
            function: name,
            offset: None,
            size: None,
            module: None,
            build_id: None,
            location: None,
            reliable: true,
            inlined: false,
        });
    }

    fn begin(&mut self, role: StackRole, header: &str) {
        self.finish();
        self.pointer = None;
        self.bystanders |= shows_bystanders(header);
        let other = self.bystanders && role == StackRole::Trace;
        self.role = if other { StackRole::Other } else { role };
        header.clone_into(&mut self.header);
    }

    fn finish(&mut self) {
        let frames = std::mem::take(&mut self.frames);
        if frames.is_empty() && self.pointer.is_none() {
            return;
        }
        let stack = Stack { role: self.role, header: std::mem::take(&mut self.header), frames };
        self.traces.push(Trace {
            stack,
            pointer: self.pointer.take(),
            pointer_in_module: std::mem::take(&mut self.pointer_in_module),
            interrupted: self.interrupted.take(),
            irq_end: self.irq_end.take(),
        });
        self.role = if self.bystanders { StackRole::Other } else { StackRole::Trace };
    }
}

/// The instruction pointer once more, below everything: `RIP  [<…>] f+0x1/0x2`, `RIP: f+0x1/0x2 RSP: …` (until 4.15,
/// `arch/x86/kernel/process_64.c`), `EIP: [<…>] f+0x1/0x2 SS:ESP 0068:…`.
fn is_summary(text: &str) -> bool {
    text.starts_with("RIP  [")
        || text.starts_with("RIP: ") && text.contains(" RSP: ")
        || text.starts_with("EIP: ") && text.contains(" SS:ESP")
}

/// `RIP: 0010:f+0x1/0x2 [module]`
fn is_of_module(text: &str) -> bool {
    let tail = text.rsplit_once(" [").map_or("", |(_, tail)| tail);
    tail.ends_with(']') && !tail.starts_with('<') && tail != "inline]"
}

/// A line above a trace that does not say whose it is.
fn is_trace_header(text: &str) -> bool {
    ["Call Trace:", "Call trace:", "Backtrace:", "CPU: ", "---[ end"]
        .iter()
        .any(|head| text.starts_with(head))
}

fn marks_end_of_irq(text: &str) -> bool {
    ["</IRQ>", "</SOFTIRQ>", "</NMI>", "<EOI>", "<EOE>", "<<EOE>>", "</#DF>", "</#DB>"]
        .iter()
        .any(|mark| text.starts_with(mark))
}

/// What follows is about others than the culprit.
fn shows_bystanders(header: &str) -> bool {
    header.contains("grace-period kthread")
        || header.contains("GP kthread last ran")
        || header.starts_with("Showing ")
}

/// The role of the stack that a line introduces.
fn role(text: &str) -> Option<StackRole> {
    const HEADS: [(&str, StackRole); 28] = [
        ("Allocated by task", StackRole::Allocated),
        ("allocated by task", StackRole::Allocated),
        ("Allocated:", StackRole::Allocated),
        ("Allocated in ", StackRole::Allocated),
        ("INFO: Allocated in ", StackRole::Allocated),
        ("backtrace", StackRole::Allocated),
        ("Freed by task", StackRole::Freed),
        ("freed by task", StackRole::Freed),
        ("Freed:", StackRole::Freed),
        ("Freed in ", StackRole::Freed),
        ("INFO: Freed in ", StackRole::Freed),
        ("Uninit was ", StackRole::Origin),
        ("Local variable ", StackRole::Origin),
        ("chained origin", StackRole::Origin),
        ("-> #", StackRole::LockChain),
        ("Last potentially related", StackRole::Other),
        ("Second to last potentially", StackRole::Other),
        ("Last call_rcu", StackRole::Other),
        ("page last ", StackRole::Other),
        ("Preemption disabled at", StackRole::Other),
        ("RCU grace-period kthread", StackRole::Other),
        ("Stack dump where RCU GP", StackRole::Other),
        ("Showing ", StackRole::Other),
        ("irq event stamp", StackRole::Other),
        ("stack backtrace:", StackRole::Trace),
        ("NMI backtrace for cpu", StackRole::Trace),
        ("Task dump for CPU", StackRole::Trace),
        ("task:", StackRole::Trace),
    ];
    // `task: ffff… task.stack: …` (until 4.14) belongs to the registers.
    if text.starts_with("task: ") {
        return None;
    }
    let known = HEADS.iter().find(|(head, _)| text.starts_with(head)).map(|&(_, role)| role);
    known.or_else(|| by_pattern(text))
}

fn by_pattern(text: &str) -> Option<StackRole> {
    // `kernel/kcsan/report.c: print_report`
    let is_access = text.contains(" bytes by ") && text.contains(" on cpu ")
        || text.starts_with("race at unknown origin");
    let registered = text.contains("} state was registered at:")
        || text.ends_with(" at:") && text.contains("USE")
        || text.contains(" at:") && text.ends_with("-W at:");
    match () {
        () if is_access => Some(StackRole::Access),
        () if registered => Some(StackRole::LockChain),
        () => None,
    }
}
