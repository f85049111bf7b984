//! What a stack looks like from outside.

use serde::Serialize;

use crate::Address;

/// How the frames were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// By the kernel's ORC tables: reliable.
    Orc,
    /// By the chain of frame pointers: reliable on kernels that keep them.
    FramePointer,
    /// Everything on the stack that looks like a return address: some of it is stale.
    Scan,
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Frame {
    /// Address of the instruction: where the CPU was, or where it will return to.
    pub address: Address,
    /// The address in words: `schedule+0x5a`.
    pub symbol: String,
}

/// A kernel stack, innermost frame first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stack {
    /// How the frames were found.
    pub method: Method,
    /// The frames.
    pub frames: Vec<Frame>,
    /// Whether the stack ends in user mode.
    pub from_user: bool,
    /// Why there are no more frames, where they did not end by themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broke: Option<String>,
}

impl Stack {
    /// Names of the functions, innermost first, without offsets.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.frames.iter().map(|frame| frame.symbol.split(['+', ' ']).next().unwrap_or_default())
    }
}
