//! Where the stack of a sleeping task is.

use std::ops::Range;

use crate::kernel::{Error, Kernel};

/// No kernel stack is larger.
const MAX_STACK: u64 = 128 << 10;
/// Where the size is not known from types.
const DEFAULT_STACK: u64 = 16 << 10;

/// The stack of a task that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Lowest address.
    pub base: u64,
    /// The stack pointer, inside or at the end.
    pub pointer: u64,
    /// One past the highest address.
    pub end: u64,
}

impl Kernel {
    /// Where the stack of the sleeping task at an address is.
    pub(crate) fn sleeping_stack(&self, task: u64) -> Result<Extent, Error> {
        let saved = [("task_struct", "thread.sp"), ("task_struct", "thread.cpu_context.sp")];
        let pointer = self.get(task, self.field_any(&saved)?)?;
        let base = self.get(task, self.field("task_struct", "stack")?)?;
        let size = self.size_of("thread_union").unwrap_or(DEFAULT_STACK).min(MAX_STACK);
        let end = base.saturating_add(size);
        Ok(Extent { base, pointer: pointer.clamp(base, end), end })
    }

    /// The part of a sleeping task's stack that it has returned from.
    pub(crate) fn returned_stack(&self, task: u64) -> Result<Range<u64>, Error> {
        let stack = self.sleeping_stack(task)?;
        Ok(stack.base..stack.pointer)
    }
}
