//! Per-CPU rw-semaphores: a writer that waits for the readers is in the lock itself, everybody else that
//! waits is in its wait queue.
//!
//! Who has it is recorded nowhere, but for a writer that waits for readers: it holds off all others.
//! Source: include/linux/percpu-rwsem.h, kernel/locking/percpu-rwsem.c.

use super::wait::{Found, LockKind};
use crate::kernel::{Error, Field, Kernel};
use crate::stack::Stack;

/// Beginnings of the functions that sleep for one.
const FUNCTIONS: [&str; 4] =
    ["percpu_rwsem_wait", "percpu_down_write", "__percpu_down_read", "percpu_down_read"];

/// Members of per-CPU rw-semaphores as this kernel has them.
pub(super) struct PercpuRwsem {
    block: Field,
    writer: Field,
    waiters: u64,
    link: u64,
    private: Field,
}

impl PercpuRwsem {
    pub(super) fn resolve(kernel: &Kernel) -> Result<Self, Error> {
        let lock = "percpu_rw_semaphore";
        Ok(Self {
            block: kernel.field(lock, "block.counter")?,
            writer: kernel.field(lock, "writer.task")?,
            waiters: kernel.offset(lock, "waiters.head")?,
            link: kernel.offset("wait_queue_entry", "entry")?,
            private: kernel.field("wait_queue_entry", "private")?,
        })
    }

    /// The per-CPU rw-semaphore that a sleeping task waits for, by the words on its stack.
    pub(super) fn find(
        &self,
        kernel: &Kernel,
        task: u64,
        stack: &Stack,
        words: &[u64],
    ) -> Option<Found> {
        let sleeps_in = |function: &&str| FUNCTIONS.iter().any(|it| function.starts_with(it));
        let function = stack.functions().find(sleeps_in)?.to_owned();
        words.iter().find_map(|&lock| {
            // Whoever waits has set `block`, or was held off by it.
            if kernel.get(lock, self.block).ok()? != 1 {
                return None;
            }
            let writer = kernel.get(lock, self.writer).ok()?;
            let for_readers = writer == task;
            (for_readers || self.is_queued(kernel, lock, task)).then(|| Found {
                kind: LockKind::PercpuRwsem,
                lock,
                function: function.clone(),
                owner: if for_readers { 0 } else { writer },
                reader_owned: for_readers,
            })
        })
    }

    fn is_queued(&self, kernel: &Kernel, lock: u64, task: u64) -> bool {
        let head = lock.wrapping_add(self.waiters);
        if !kernel.is_list(head) {
            return false;
        }
        let waiters = kernel.list(head, self.link);
        let is_task = |entry: &u64| kernel.get(*entry, self.private).is_ok_and(|it| it == task);
        waiters.broke_at.is_empty() && waiters.items.iter().any(is_task)
    }
}
