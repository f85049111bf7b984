//! Mutexes, rw-semaphores and semaphores: locks whose waiters sleep in a list.
//!
//! Stock kernels record what a task waits for nowhere. But a waiter's stack holds the lock's address, and
//! the lock's list of waiters leads back to that very task: what passes both checks is the lock.
//! Source: include/linux/mutex_types.h, include/linux/rwsem.h, include/linux/semaphore.h, kernel/locking/.

use std::collections::HashMap;

use super::wait::{Found, LockKind};
use crate::kernel::{Error, Field, Kernel};
use crate::stack::Stack;
use crate::state::Task;

/// The lower bits of `owner` are flags.
const OWNER_FLAGS: u64 = 7;
/// `RWSEM_READER_OWNED`: the owner is only the last reader that came in.
const READER_OWNED: u64 = 1;

/// How this kernel lays out one kind of lock and its waiters.
pub(super) struct QueuedLock {
    kind: LockKind,
    /// Beginnings of the functions that sleep for it.
    functions: &'static [&'static str],
    /// Who has it; semaphores have that only with CONFIG_DETECT_HUNG_TASK_BLOCKER.
    owner: Option<Field>,
    /// What can be had before somebody must wait; for semaphores.
    count: Option<Field>,
    waiters: Waiters,
    link: u64,
    task: Field,
}

/// Where the waiters are: a list head, or since 7.x a pointer to the first of a ring.
enum Waiters {
    Head(u64),
    First(Field),
}

impl QueuedLock {
    /// Those that this kernel has: with PREEMPT_RT, mutexes and rw-semaphores are made of rt-mutexes.
    pub(super) fn all(kernel: &Kernel) -> Vec<Self> {
        [Self::mutex(kernel), Self::rwsem(kernel), Self::semaphore(kernel)]
            .into_iter()
            .filter_map(Result::ok)
            .collect()
    }

    fn mutex(kernel: &Kernel) -> Result<Self, Error> {
        let functions = &["__mutex_lock", "mutex_lock", "__ww_mutex_lock", "ww_mutex_lock"];
        let owner = kernel.field("mutex", "owner.counter")?;
        let lock = Self::resolve(kernel, LockKind::Mutex, "mutex", "mutex_waiter", functions)?;
        Ok(Self { owner: Some(owner), ..lock })
    }

    fn rwsem(kernel: &Kernel) -> Result<Self, Error> {
        let functions = &["rwsem_down_read_slowpath", "rwsem_down_write_slowpath"];
        let owner = kernel.field("rw_semaphore", "owner.counter")?;
        let lock =
            Self::resolve(kernel, LockKind::Rwsem, "rw_semaphore", "rwsem_waiter", functions)?;
        Ok(Self { owner: Some(owner), ..lock })
    }

    fn semaphore(kernel: &Kernel) -> Result<Self, Error> {
        let functions = &["___down_common", "__down_common", "__down"];
        let lock =
            Self::resolve(kernel, LockKind::Semaphore, "semaphore", "semaphore_waiter", functions)?;
        let count = kernel.field("semaphore", "count")?;
        Ok(Self {
            owner: kernel.field("semaphore", "last_holder").ok(),
            count: Some(count),
            ..lock
        })
    }

    fn resolve(
        kernel: &Kernel,
        kind: LockKind,
        lock: &str,
        waiter: &str,
        functions: &'static [&'static str],
    ) -> Result<Self, Error> {
        let waiters = match kernel.field(lock, "first_waiter") {
            Ok(first) => Waiters::First(first),
            Err(_) => Waiters::Head(kernel.offset(lock, "wait_list")?),
        };
        Ok(Self {
            kind,
            functions,
            owner: None,
            count: None,
            waiters,
            link: kernel.offset(waiter, "list")?,
            task: kernel.field(waiter, "task")?,
        })
    }

    /// Whether a function sleeps for a lock of this kind.
    fn sleeps_in(&self, function: &str) -> bool {
        self.functions.iter().any(|start| function.starts_with(start))
    }

    /// Whether `address` is a lock that `task` waits for. Its owner must be a task or nobody, which throws
    /// out most of what is no lock before its list is walked.
    fn is_lock_of(
        &self,
        kernel: &Kernel,
        address: u64,
        task: u64,
        known: &HashMap<u64, &Task>,
    ) -> bool {
        let Ok(owner) = self.owner_of(kernel, address) else {
            return false;
        };
        let owner = owner & !OWNER_FLAGS;
        (owner == 0 || known.contains_key(&owner))
            && self.count.is_none_or(|count| kernel.get(address, count).is_ok_and(|it| it == 0))
            && self.has_waiter(kernel, address, task)
    }

    fn owner_of(&self, kernel: &Kernel, lock: u64) -> Result<u64, Error> {
        self.owner.map_or(Ok(0), |owner| kernel.get(lock, owner))
    }

    /// Whether `task` is among those that wait for the lock at `address`, if that is a lock at all.
    fn has_waiter(&self, kernel: &Kernel, address: u64, task: u64) -> bool {
        self.waiters_of(kernel, address).is_some_and(|waiters| {
            waiters.iter().any(|it| kernel.get(*it, self.task).is_ok_and(|it| it == task))
        })
    }

    /// The waiters, if the list is one. A stack holds addresses inside of the lock, too, from which the
    /// links also lead to the waiters, but not back.
    fn waiters_of(&self, kernel: &Kernel, address: u64) -> Option<Vec<u64>> {
        let (head, first) = match self.waiters {
            Waiters::Head(offset) => (address.wrapping_add(offset), None),
            Waiters::First(field) => {
                let first = kernel.get(address, field).ok().filter(|first| *first != 0)?;
                (first.wrapping_add(self.link), Some(first))
            }
        };
        if !kernel.is_list(head) {
            return None;
        }
        let ring = kernel.list(head, self.link);
        ring.broke_at.is_empty().then(|| first.into_iter().chain(ring.items).collect())
    }
}

/// The lock that a task sleeps for, of the kind that the functions on its stack say; `words` are what else
/// is on that.
pub(super) fn find(
    kernel: &Kernel,
    locks: &[QueuedLock],
    task: u64,
    stack: &Stack,
    words: &[u64],
    known: &HashMap<u64, &Task>,
) -> Option<Found> {
    let (function, lock) = stack.functions().find_map(|function| {
        let lock = locks.iter().find(|it| it.sleeps_in(function))?;
        Some((function.to_owned(), lock))
    })?;
    let mut words = words.iter().copied();
    let address = words.find(|word| lock.is_lock_of(kernel, *word, task, known))?;
    let owner = lock.owner_of(kernel, address).ok()?;
    Some(Found {
        kind: lock.kind,
        lock: address,
        function,
        owner: owner & !OWNER_FLAGS,
        reader_owned: lock.kind == LockKind::Rwsem && owner & READER_OWNED != 0,
    })
}
