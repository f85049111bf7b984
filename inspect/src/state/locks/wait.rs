//! What a wait for a lock looks like from outside.

use serde::Serialize;

use crate::Address;
use crate::state::Task;

/// Kinds of locks that a task can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockKind {
    /// `struct mutex`.
    Mutex,
    /// `struct rw_semaphore`.
    Rwsem,
    /// `struct rt_mutex`, and whatever is made of one on kernels with PREEMPT_RT.
    RtMutex,
    /// `struct semaphore`.
    Semaphore,
    /// `struct percpu_rw_semaphore`.
    PercpuRwsem,
    /// `spinlock_t` and `raw_spinlock_t`.
    Spinlock,
    /// `rwlock_t`.
    Rwlock,
}

impl LockKind {
    /// Whether a lock of this kind says who has it on every kernel.
    #[must_use]
    pub fn records_owner(self) -> bool {
        !matches!(self, Self::Semaphore | Self::PercpuRwsem)
    }
}

/// A task, as far as it matters for a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Party {
    /// Thread id.
    pub pid: i64,
    /// Name.
    pub comm: String,
    /// Address of its `task_struct`.
    pub task: Address,
}

impl From<&Task> for Party {
    fn from(task: &Task) -> Self {
        Self { pid: task.pid, comm: task.comm.clone(), task: task.address }
    }
}

/// One task that waits until it gets a lock: asleep, or spinning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockWait {
    /// Who waits.
    pub waiter: Party,
    /// The function that asked for the lock.
    pub function: String,
    /// Kind of lock.
    pub kind: LockKind,
    /// Address of the lock.
    pub lock: Address,
    /// The lock in words, where it is a variable: `rtnl_mutex`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who has it; nobody while it is being handed over, or where the kernel does not record it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Party>,
    /// Whether readers have it. Then `owner` is one of them.
    pub reader_owned: bool,
    /// Whether `owner` is known from lockdep's lists, and not from the lock.
    pub from_lockdep: bool,
}

/// The waits of all tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Locks {
    /// One entry a waiting task.
    pub waits: Vec<LockWait>,
    /// Deadlocks: tasks that wait for each other in a circle, each with the lock it waits for.
    pub cycles: Vec<Vec<LockWait>>,
}

/// A lock that a task was found to wait for.
pub(super) struct Found {
    pub kind: LockKind,
    pub lock: u64,
    /// The function that asked for it.
    pub function: String,
    /// The `task_struct` of who has it, as the lock says; 0 where it says nothing.
    pub owner: u64,
    pub reader_owned: bool,
}
