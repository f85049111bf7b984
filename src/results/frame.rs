//! Where a kernel report was raised.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One frame of a report's stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FrameResult {
    /// The function.
    pub function: String,
    /// Offset in the function, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Size of the function, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The module it lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Source file and line, where the kernel's debugging information was at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Whether the compiler inlined it into the next frame.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inlined: bool,
}

impl From<&klog::Frame> for FrameResult {
    fn from(frame: &klog::Frame) -> Self {
        Self {
            function: frame.function.clone(),
            offset: frame.offset,
            size: frame.size,
            module: frame.module.clone(),
            location: frame.location.clone(),
            inlined: frame.inlined,
        }
    }
}

impl fmt::Display for FrameResult {
    /// `function+0x1/0x2 [module] file:line`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.function)?;
        if let (Some(offset), Some(size)) = (self.offset, self.size) {
            write!(f, "+{offset:#x}/{size:#x}")?;
        }
        self.module.iter().try_for_each(|module| write!(f, " [{module}]"))?;
        self.location.iter().try_for_each(|location| write!(f, " {location}"))?;
        f.write_str(if self.inlined { " [inlined]" } else { "" })
    }
}
