//! The first look at a stopped guest: why it stopped, what ran, what hangs, what it said last.

use serde::Serialize;

use super::{LockWait, LogRecord, Taint, Task};
use crate::kernel::{Broke, Error, Kernel};
use crate::stack::Stack;

/// Log records in a summary.
const LAST_RECORDS: usize = 12;
/// Tasks in uninterruptible sleep whose stacks are shown; more of them say the same.
const MAX_HUNG: usize = 16;

/// A task and its stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskStack {
    /// The task.
    pub task: Task,
    /// Its kernel stack; none where it could not be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<Stack>,
    /// Why there is no stack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_stack: Option<String>,
}

/// The state of a guest at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Kernel release.
    pub release: String,
    /// Build-id of the kernel.
    pub build_id: Option<String>,
    /// Architecture.
    pub arch: String,
    /// Bytes of RAM.
    pub memory: u64,
    /// CPUs that are online.
    pub cpus: usize,
    /// Why the guest was stopped, where the dump says so.
    pub reason: Option<String>,
    /// What taints the kernel.
    pub taint: Option<Taint>,
    /// Number of tasks, idle ones not counted.
    pub tasks: usize,
    /// What runs on each CPU.
    pub running: Vec<TaskStack>,
    /// Tasks in uninterruptible sleep.
    pub uninterruptible: Vec<TaskStack>,
    /// Deadlocks among mutexes and rw-semaphores.
    pub deadlocks: Vec<Vec<LockWait>>,
    /// The last records of the kernel log.
    pub log: Vec<LogRecord>,
    /// Where walks broke; a summary is made of what could be read.
    pub broke_at: Vec<Broke>,
}

impl Kernel {
    /// The state of the guest at a glance.
    ///
    /// # Errors
    /// When not even the tasks can be read.
    pub fn summary(&self) -> Result<Summary, Error> {
        let (locks, tasks) = self.locks()?;
        let mut broke_at = tasks.broke_at;
        let log = match self.log() {
            Ok(log) => {
                broke_at.extend(log.broke_at);
                let skip = log.items.len().saturating_sub(LAST_RECORDS);
                log.items.into_iter().skip(skip).collect()
            }
            Err(_) => Vec::new(),
        };
        let tasks = tasks.items;
        let running = tasks.iter().filter(|task| task.on_cpu);
        let hung = tasks.iter().filter(|task| task.state == 'D').take(MAX_HUNG);
        Ok(Summary {
            release: self.release().to_owned(),
            build_id: self.vmcoreinfo().build_id().map(str::to_owned),
            arch: self.dump().arch.to_string(),
            memory: self.dump().memory.ranges().iter().map(|range| range.end - range.start).sum(),
            cpus: self.online_cpus()?.len(),
            reason: self.dump().reason.clone(),
            taint: self.taint().ok(),
            tasks: tasks.iter().filter(|task| task.pid != 0).count(),
            running: running.map(|task| self.with_stack(task)).collect(),
            uninterruptible: hung.map(|task| self.with_stack(task)).collect(),
            deadlocks: locks.cycles,
            log,
            broke_at,
        })
    }

    /// A task with its stack, or with the reason why there is none.
    #[must_use]
    pub fn with_stack(&self, task: &Task) -> TaskStack {
        let (stack, no_stack) = match self.stack(task.address.0) {
            Ok(stack) => (Some(stack), None),
            Err(error) => (None, Some(error.to_string())),
        };
        TaskStack { task: task.clone(), stack, no_stack }
    }
}
