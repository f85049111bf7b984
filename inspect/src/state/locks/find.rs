//! Looks at every task for the lock that it waits for.

use std::collections::HashMap;

use super::cycles::cycles;
use super::holders::Holders;
use super::percpu_rwsem::PercpuRwsem;
use super::queued::{self, QueuedLock};
use super::rt_mutex::RtMutex;
use super::spin::SpinLocks;
use super::wait::Found;
use super::{LockWait, Locks, Party};
use crate::Address;
use crate::kernel::{Error, Kernel, Walk};
use crate::state::Task;

/// The kinds of locks that this kernel has, and its tasks by address.
struct Finder<'a> {
    kernel: &'a Kernel,
    tasks: HashMap<u64, &'a Task>,
    queued: Vec<QueuedLock>,
    rt_mutex: Option<RtMutex>,
    percpu_rwsem: Option<PercpuRwsem>,
    spin: SpinLocks,
}

impl Kernel {
    /// Which tasks wait for which locks, and the deadlocks among them.
    ///
    /// # Errors
    /// Where this kernel's tasks are not what any known version has.
    pub fn locks(&self) -> Result<(Locks, Walk<Task>), Error> {
        let tasks = self.tasks()?;
        let finder = Finder {
            kernel: self,
            tasks: tasks.items.iter().map(|task| (task.address.0, task)).collect(),
            queued: QueuedLock::all(self),
            rt_mutex: RtMutex::resolve(self).ok(),
            percpu_rwsem: PercpuRwsem::resolve(self).ok(),
            spin: SpinLocks::resolve(self),
        };
        let waits = finder.waits(&tasks.items);
        let cycles = cycles(&waits);
        Ok((Locks { waits, cycles }, tasks))
    }
}

impl Finder<'_> {
    fn waits(&self, tasks: &[Task]) -> Vec<LockWait> {
        let found: Vec<(&Task, Found)> =
            tasks.iter().filter_map(|task| Some((task, self.find(task)?))).collect();
        if found.is_empty() {
            return Vec::new();
        }
        let holders = Holders::read(self.kernel);
        let waits = found.iter().map(|(task, found)| (task.address.0, found.lock)).collect();
        let wait = |(task, found): (&Task, Found)| {
            let holder = holders.of(&found, &waits);
            self.wait(task, found, holder)
        };
        found.into_iter().map(wait).collect()
    }

    fn find(&self, task: &Task) -> Option<Found> {
        if task.on_cpu {
            return self.spin.find(self.kernel, task, &self.tasks);
        }
        if task.pid == 0 {
            return None;
        }
        let at = task.address.0;
        let stack = self.kernel.stack(at).ok()?;
        let rt_mutex = self.rt_mutex.as_ref();
        if let Some(found) = rt_mutex.and_then(|it| it.find(self.kernel, at, &stack)) {
            return Some(found);
        }
        let words = self.kernel.stack_words(at).ok()?;
        let percpu = self.percpu_rwsem.as_ref();
        queued::find(self.kernel, &self.queued, at, &stack, &words, &self.tasks)
            .or_else(|| percpu.and_then(|it| it.find(self.kernel, at, &stack, &words)))
    }

    fn wait(&self, task: &Task, found: Found, holder: Option<u64>) -> LockWait {
        let lock = found.lock;
        let owner = self.tasks.get(&holder.unwrap_or(found.owner));
        LockWait {
            waiter: Party::from(task),
            function: found.function,
            kind: found.kind,
            lock: Address(lock),
            name: self.kernel.locate(lock).map(|_| self.kernel.symbolize(lock)),
            owner: owner.map(|task| Party::from(*task)),
            reader_owned: found.reader_owned,
            from_lockdep: holder.is_some(),
        }
    }
}
