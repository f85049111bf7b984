//! Where the stack of a sleeping task is.

use std::collections::HashSet;
use std::iter::once;
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

    /// The kernel addresses on a sleeping task's stack, each once.
    pub(crate) fn stack_words(&self, task: u64) -> Result<Vec<u64>, Error> {
        let stack = self.sleeping_stack(task)?;
        Ok(self.addresses_in(once(stack.pointer..stack.end)))
    }

    /// The same for a task that runs on `cpu`. The CPU may be on an interrupt's stack; what it was doing before
    /// is then on the task's.
    pub(crate) fn running_stack_words(&self, task: u64, cpu: u64) -> Result<Vec<u64>, Error> {
        let base = self.get(task, self.field("task_struct", "stack")?)?;
        let size = self.size_of("thread_union").unwrap_or(DEFAULT_STACK).min(MAX_STACK);
        let own = base..base.saturating_add(size);
        let registers = self.dump().cpus.get(crate::bytes::index(cpu));
        let pointer = registers.and_then(|it| it.get("rsp").or_else(|| it.get("sp")));
        Ok(match pointer {
            Some(pointer) if own.contains(&pointer) => self.addresses_in(once(pointer..own.end)),
            Some(pointer) => {
                let other = pointer..pointer.saturating_add(1).next_multiple_of(DEFAULT_STACK);
                self.addresses_in([other, own])
            }
            None => self.addresses_in(once(own)),
        })
    }

    fn addresses_in(&self, stacks: impl IntoIterator<Item = Range<u64>>) -> Vec<u64> {
        let mut seen = HashSet::new();
        let mut addresses = Vec::new();
        for stack in stacks {
            let bytes = self.space().image(stack);
            let words = bytes.chunks_exact(8).map(crate::bytes::unsigned);
            let is_new =
                |word: &u64| word >> 63 != 0 && word.is_multiple_of(8) && seen.insert(*word);
            addresses.extend(words.filter(is_new));
        }
        addresses
    }
}
