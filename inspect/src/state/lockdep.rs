//! Locks that a task holds, on kernels with lockdep.
//!
//! Source: include/linux/lockdep_types.h, `struct held_lock`.

use serde::Serialize;

use crate::Address;
use crate::kernel::{Error, Kernel, Walk};

/// `MAX_LOCK_DEPTH`.
const MAX_DEPTH: u64 = 48;
const MAX_NAME: usize = 256;

/// A lock that a task holds or waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldLock {
    /// Thread id of the holder.
    pub pid: i64,
    /// Name of the holder.
    pub comm: String,
    /// Address of its `task_struct`.
    pub task: Address,
    /// Name of the lock's class.
    pub class: String,
    /// Address of its `struct lockdep_map`.
    pub instance: Address,
    /// Where it was taken.
    pub taken_at: String,
    /// Whether it was taken for reading.
    pub read: bool,
}

impl Kernel {
    /// Whether this kernel keeps lists of held locks.
    #[must_use]
    pub fn has_lockdep(&self) -> bool {
        self.field("task_struct", "held_locks").is_ok()
    }

    /// What every task holds. The last lock of a task that sleeps for it is listed, too: lockdep notes a
    /// lock before it is had.
    ///
    /// # Errors
    /// [`Error::Unsupported`] on kernels without CONFIG_LOCKDEP.
    pub fn held_locks(&self) -> Result<Walk<HeldLock>, Error> {
        if !self.has_lockdep() {
            return Err(Error::Unsupported {
                what: "lists of held locks".to_owned(),
                advice: "build it with CONFIG_PROVE_LOCKING=y",
            });
        }
        let depth = self.field("task_struct", "lockdep_depth")?;
        let tasks = self.tasks()?;
        Ok(tasks.then(|task, walk| {
            let count = match self.get(task.address.0, depth) {
                Ok(count) => count.min(MAX_DEPTH),
                Err(error) => return walk.broke(task.address.0, error),
            };
            for index in 0..count {
                let lock = self.held_lock(task.address.0, index);
                walk.take(
                    task.address.0,
                    lock.map(|lock| HeldLock { pid: task.pid, comm: task.comm.clone(), ..lock }),
                );
            }
        }))
    }

    /// Entry `index` of a task's list, without the names of the task.
    pub(super) fn held_lock(&self, task: u64, index: u64) -> Result<HeldLock, Error> {
        let at = task.wrapping_add(self.offset("task_struct", &format!("held_locks[{index}]"))?);
        let get = |member| self.get(at, self.field("held_lock", member)?);
        let instance = get("instance")?;
        let name = self.get(instance, self.field("lockdep_map", "name")?)?;
        Ok(HeldLock {
            pid: 0,
            comm: String::new(),
            task: Address(task),
            class: self.space().string(name, MAX_NAME)?,
            instance: Address(instance),
            taken_at: self.symbolize(get("acquire_ip")?),
            read: get("read")? != 0,
        })
    }
}
