//! What a kernel report says, as data.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Class, Fields, Kind};

/// One complaint of the kernel, from its first line to its last.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What it is about.
    pub kind: Kind,
    /// What it means for a run that did not ask for it.
    pub class: Class,
    /// Canonical title: no addresses, numbers or processor ids, so equal for equal bugs.
    pub title: String,
    /// The function that a kernel developer would look at first.
    pub function: Option<String>,
    /// The stack the function was found in.
    pub frames: Vec<Frame>,
    /// Every stack of the report, in the order of the log.
    pub stacks: Vec<Stack>,
    /// The task that was running.
    pub task: Option<Task>,
    /// The processor it was running on.
    pub cpu: Option<u32>,
    /// The kernel's taint flags as it prints them: `G    B   W`.
    pub taint: Option<String>,
    /// The kernel's release and build, as the report names them.
    pub kernel: Option<String>,
    /// The kernel's build ID, where it prints it (`CONFIG_STACKTRACE_BUILD_ID`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// What the kind says beyond that.
    pub fields: Fields,
    /// Where the processor stood, where the report shows that above its stack.
    pub instruction_pointer: Option<Frame>,
    /// Registers at the time of an exception, by the names the kernel uses.
    pub registers: BTreeMap<String, u64>,
    /// The `Code:` line: instruction bytes (x86) or words (arm64) around the faulting instruction.
    pub code: Option<String>,
    /// Whether parts of the report are missing or mixed with something else.
    pub corrupted: bool,
    /// Why it is taken to be corrupted.
    pub corruption: Option<String>,
    /// The reason of the panic that this report led to, where it did.
    pub panic: Option<String>,
    /// Where the report that led to this one starts, where that was reported already.
    pub consequence_of: Option<u64>,
    /// The time of the report's first stamped line, in microseconds since boot.
    pub timestamp_us: Option<u64>,
    /// Offset of the report's first byte in the stream.
    pub start: u64,
    /// Offset behind the report's last byte.
    pub end: u64,
    /// Equal for the same bug in other runs and other builds; 16 hexadecimal digits.
    pub fingerprint: String,
}

impl Report {
    /// Whether it calls for attention by itself. The rest is context: a detector that says that it is off because
    /// another report turned it off, real-time throttling.
    pub fn is_problem(&self) -> bool {
        match self.class {
            Class::Fault | Class::Event => true,
            Class::DetectorLost => self.title.starts_with("BUG: "),
            Class::Info => false,
        }
    }
}

/// A task by name and thread id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Task {
    /// The task's command name; the kernel keeps 15 bytes of it.
    pub comm: String,
    /// The thread id.
    pub pid: u32,
}

/// A stack trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stack {
    /// What the trace shows.
    pub role: StackRole,
    /// The line that introduces it.
    pub header: String,
    /// The frames, innermost first.
    pub frames: Vec<Frame>,
}

/// What a stack trace shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StackRole {
    /// Where the report was raised.
    Trace,
    /// Where an object was allocated.
    Allocated,
    /// Where an object was freed.
    Freed,
    /// Where uninitialised memory came from or passed through.
    Origin,
    /// A data race's access.
    Access,
    /// Where a lock was first taken in this order.
    LockChain,
    /// Another task or processor.
    Other,
}

/// One frame of a stack trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Frame {
    /// The function, without compiler suffixes; Rust names demangled.
    pub function: String,
    /// The symbol as the kernel prints it.
    #[serde(skip)]
    pub symbol: String,
    /// Offset in the function.
    pub offset: Option<u64>,
    /// Size of the function.
    pub size: Option<u64>,
    /// The module it lies in.
    pub module: Option<String>,
    /// Build ID of that module, where the kernel prints it (`CONFIG_STACKTRACE_BUILD_ID`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// Source file and line, where the log is symbolised.
    pub location: Option<String>,
    /// Whether the unwinder vouches for it; it marks the others with `?`.
    pub reliable: bool,
    /// Whether the compiler inlined it, where the log is symbolised.
    pub inlined: bool,
}
