//! Who waits for which mutex or rw-semaphore, who has it, and who waits for whom in a circle.
//!
//! Stock kernels record what a task waits for nowhere. But a waiter's stack holds the lock's address, and
//! the lock's list of waiters leads back to that very task: what passes both checks is the lock.
//! Source: include/linux/mutex_types.h, include/linux/rwsem.h, kernel/locking/.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::Task;
use crate::Address;
use crate::kernel::{Error, Field, Kernel, Walk};

/// The lower bits of `owner` are flags.
const OWNER_FLAGS: u64 = 7;
/// `RWSEM_READER_OWNED`: the owner is only the last reader that came in.
const READER_OWNED: u64 = 1;
/// Kinds of locks that a task can sleep on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LockKind {
    /// `struct mutex`.
    Mutex,
    /// `struct rw_semaphore`.
    Rwsem,
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

/// One task that sleeps until it gets a lock.
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
    /// Who has it; nobody while it is being handed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Party>,
    /// Whether readers have it. Then `owner` is only the last one that came in.
    pub reader_owned: bool,
}

/// The waits of all tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Locks {
    /// One entry a waiting task.
    pub waits: Vec<LockWait>,
    /// Deadlocks: tasks that wait for each other in a circle, each with the lock it waits for.
    pub cycles: Vec<Vec<LockWait>>,
}

/// How this kernel lays out one kind of lock and its waiters.
struct LockType {
    kind: LockKind,
    /// Beginnings of the functions that sleep for it.
    functions: &'static [&'static str],
    owner: Field,
    waiters: Waiters,
    link: u64,
    task: Field,
}

/// Where the waiters are: a list head, or since 7.x a pointer to the first of a ring.
enum Waiters {
    Head(u64),
    First(Field),
}

impl LockType {
    fn mutex(kernel: &Kernel) -> Result<Self, Error> {
        let functions = &["__mutex_lock", "mutex_lock", "__ww_mutex_lock", "ww_mutex_lock"];
        Self::resolve(kernel, LockKind::Mutex, "mutex", "mutex_waiter", functions)
    }

    fn rwsem(kernel: &Kernel) -> Result<Self, Error> {
        let functions = &["rwsem_down_read_slowpath", "rwsem_down_write_slowpath"];
        Self::resolve(kernel, LockKind::Rwsem, "rw_semaphore", "rwsem_waiter", functions)
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
            owner: kernel.field(lock, "owner.counter")?,
            waiters,
            link: kernel.offset(waiter, "list")?,
            task: kernel.field(waiter, "task")?,
        })
    }

    /// Whether a function sleeps for a lock of this kind.
    fn sleeps_in(&self, function: &str) -> bool {
        self.functions.iter().any(|start| function.starts_with(start))
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
        let previous_of_next = kernel.space().u64(kernel.space().u64(head).ok()?.wrapping_add(8));
        if previous_of_next.ok()? != head {
            return None;
        }
        let ring = kernel.list(head, self.link);
        ring.broke_at.is_empty().then(|| first.into_iter().chain(ring.items).collect())
    }
}

impl Kernel {
    /// Which tasks wait for which locks, and the deadlocks among them.
    ///
    /// # Errors
    /// Where this kernel's locks or tasks are not what any known version has.
    pub fn locks(&self) -> Result<(Locks, Walk<Task>), Error> {
        let types = [LockType::mutex(self)?, LockType::rwsem(self)?];
        let tasks = self.tasks()?;
        let known: HashMap<u64, &Task> =
            tasks.items.iter().map(|task| (task.address.0, task)).collect();
        let sleeping = tasks.items.iter().filter(|task| !task.on_cpu && task.pid != 0);
        let waits: Vec<LockWait> =
            sleeping.filter_map(|task| self.wait_of(task, &types, &known)).collect();
        let cycles = cycles(&waits);
        Ok((Locks { waits, cycles }, tasks))
    }

    fn wait_of(
        &self,
        task: &Task,
        types: &[LockType],
        known: &HashMap<u64, &Task>,
    ) -> Option<LockWait> {
        let stack = self.stack(task.address.0).ok()?;
        let (function, lock_type) = stack.functions().find_map(|function| {
            let lock_type = types.iter().find(|it| it.sleeps_in(function))?;
            Some((function.to_owned(), lock_type))
        })?;
        let lock = self
            .stack_words(task.address.0)
            .ok()?
            .into_iter()
            .find(|word| self.is_lock_of(*word, lock_type, task.address.0, known))?;
        let owner = self.get(lock, lock_type.owner).ok()?;
        let reader_owned = lock_type.kind == LockKind::Rwsem && owner & READER_OWNED != 0;
        let name = self.locate(lock).map(|_| self.symbolize(lock));
        Some(LockWait {
            waiter: party(task),
            function,
            kind: lock_type.kind,
            lock: Address(lock),
            name,
            owner: known.get(&(owner & !OWNER_FLAGS)).map(|task| party(task)),
            reader_owned,
        })
    }

    /// Whether `address` is a lock that `task` waits for. Its owner must be a task or nobody, which throws
    /// out most of what is no lock before its list is walked.
    fn is_lock_of(
        &self,
        address: u64,
        lock_type: &LockType,
        task: u64,
        known: &HashMap<u64, &Task>,
    ) -> bool {
        let Ok(owner) = self.get(address, lock_type.owner) else {
            return false;
        };
        let owner = owner & !OWNER_FLAGS;
        (owner == 0 || known.contains_key(&owner)) && lock_type.has_waiter(self, address, task)
    }

    /// The kernel addresses on a sleeping task's stack, each once.
    fn stack_words(&self, task: u64) -> Result<Vec<u64>, Error> {
        let stack = self.sleeping_stack(task)?;
        let bytes = self.space().image(stack.pointer..stack.end);
        let mut seen = HashSet::new();
        let words = bytes.chunks_exact(8).map(crate::bytes::unsigned);
        Ok(words.filter(|word| word >> 63 != 0 && word % 8 == 0 && seen.insert(*word)).collect())
    }
}

fn party(task: &Task) -> Party {
    Party { pid: task.pid, comm: task.comm.clone(), task: task.address }
}

/// The circles in "waits for a lock that is owned by". Every task waits for one lock at most, so from each
/// there is one way to go.
fn cycles(waits: &[LockWait]) -> Vec<Vec<LockWait>> {
    let by_task: HashMap<Address, &LockWait> =
        waits.iter().map(|wait| (wait.waiter.task, wait)).collect();
    let mut done: HashSet<Address> = HashSet::new();
    let mut cycles = Vec::new();
    for start in waits {
        let mut path: Vec<&LockWait> = Vec::new();
        let mut next = Some(start);
        while let Some(wait) = next {
            if let Some(from) = path.iter().position(|it| it.waiter.task == wait.waiter.task) {
                cycles.push(path[from..].iter().map(|wait| (*wait).clone()).collect());
                break;
            }
            if done.contains(&wait.waiter.task) {
                break;
            }
            path.push(wait);
            let owner = wait.owner.as_ref().map(|owner| owner.task);
            next = owner.and_then(|owner| by_task.get(&owner).copied());
        }
        done.extend(path.iter().map(|wait| wait.waiter.task));
    }
    cycles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(waiter: u64, owner: Option<u64>) -> LockWait {
        let party = |task: u64| Party {
            pid: i64::try_from(task).unwrap(),
            comm: format!("task{task}"),
            task: Address(task),
        };
        LockWait {
            waiter: party(waiter),
            function: "mutex_lock".into(),
            kind: LockKind::Mutex,
            lock: Address(waiter * 0x100),
            name: None,
            owner: owner.map(party),
            reader_owned: false,
        }
    }

    #[test]
    fn two_tasks_that_wait_for_each_other_are_one_cycle() {
        let waits = [wait(1, Some(2)), wait(2, Some(1)), wait(3, Some(1))];
        let found = cycles(&waits);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].len(), 2);
    }

    #[test]
    fn a_task_that_waits_for_itself_is_a_cycle_and_a_chain_is_none() {
        assert_eq!(cycles(&[wait(1, Some(1))]).len(), 1);
        assert!(cycles(&[wait(1, Some(2)), wait(2, Some(3)), wait(4, None)]).is_empty());
    }
}
