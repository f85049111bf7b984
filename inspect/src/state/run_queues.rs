//! Run queues: what each CPU runs.

use serde::Serialize;

use crate::Address;
use crate::kernel::{Error, Kernel, Walk};

/// The run queue of one CPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunQueue {
    /// Number of the CPU.
    pub cpu: u32,
    /// Address of its `struct rq`.
    pub address: Address,
    /// Runnable tasks, the running one included.
    pub nr_running: u64,
    /// Context switches since boot.
    pub nr_switches: u64,
    /// Tasks of this queue in uninterruptible sleep; single queues may be negative, only the sum counts.
    pub nr_uninterruptible: i64,
    /// Address of the running task.
    pub current: Address,
    /// Its thread id.
    pub current_pid: i64,
    /// Its name.
    pub current_comm: String,
}

impl Kernel {
    /// The run queues of all online CPUs.
    ///
    /// # Errors
    /// Where this kernel's `struct rq` is not what any known version has.
    pub fn run_queues(&self) -> Result<Walk<RunQueue>, Error> {
        let mut walk = Walk::default();
        for cpu in self.online_cpus()? {
            let at = self.per_cpu("runqueues", cpu)?;
            walk.take(at, self.run_queue(cpu, at));
        }
        Ok(walk)
    }

    fn run_queue(&self, cpu: u32, at: u64) -> Result<RunQueue, Error> {
        let field = |path| self.field("rq", path);
        // A plain int before 6.15, a long after.
        let uninterruptible = field("nr_uninterruptible")?;
        let width = u32::try_from(uninterruptible.size * 8).unwrap_or(64);
        let current = self.get(at, field("curr")?)?;
        Ok(RunQueue {
            cpu,
            address: Address(at),
            nr_running: self.get(at, field("nr_running")?)?,
            nr_switches: self.get(at, field("nr_switches")?)?,
            nr_uninterruptible: crate::bytes::sign_extend(self.get(at, uninterruptible)?, width),
            current: Address(current),
            current_pid: self.get_signed(current, self.field("task_struct", "pid")?)?,
            current_comm: self.text(current, self.field("task_struct", "comm")?)?,
        })
    }
}
