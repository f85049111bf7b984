//! Rt-mutexes: a task that waits for one points to its entry among the waiters, and that to the lock.
//!
//! With PREEMPT_RT, mutexes, rw-semaphores, spinlocks and rwlocks are made of them.
//! Source: include/linux/rtmutex.h, kernel/locking/rtmutex_common.h.

use super::wait::{Found, LockKind};
use crate::kernel::{Error, Field, Kernel};
use crate::stack::Stack;

/// `RT_MUTEX_HAS_WAITERS`.
const HAS_WAITERS: u64 = 1;
/// Beginnings of the functions that any sleeping task is in.
const SCHEDULER: [&str; 5] =
    ["__schedule", "schedule", "preempt_schedule", "rt_mutex_schedule", "__switch_to"];

/// Members of rt-mutexes as this kernel has them.
pub(super) struct RtMutex {
    blocked_on: Field,
    task: Field,
    lock: Field,
    owner: Field,
}

impl RtMutex {
    pub(super) fn resolve(kernel: &Kernel) -> Result<Self, Error> {
        Ok(Self {
            blocked_on: kernel.field("task_struct", "pi_blocked_on")?,
            task: kernel.field("rt_mutex_waiter", "task")?,
            lock: kernel.field("rt_mutex_waiter", "lock")?,
            // Before 5.16 it was `rt_mutex` itself.
            owner: kernel.field_any(&[("rt_mutex_base", "owner"), ("rt_mutex", "owner")])?,
        })
    }

    /// The rt-mutex that a sleeping task waits for.
    pub(super) fn find(&self, kernel: &Kernel, task: u64, stack: &Stack) -> Option<Found> {
        let waiter = kernel.get(task, self.blocked_on).ok().filter(|waiter| *waiter != 0)?;
        if kernel.get(waiter, self.task).ok()? != task {
            return None;
        }
        let lock = kernel.get(waiter, self.lock).ok()?;
        let owner = kernel.get(lock, self.owner).ok()? & !HAS_WAITERS;
        let asked = |function: &&str| !SCHEDULER.iter().any(|start| function.starts_with(start));
        Some(Found {
            kind: LockKind::RtMutex,
            lock,
            function: stack.functions().find(asked).unwrap_or("unknown").to_owned(),
            owner,
            reader_owned: false,
        })
    }
}
