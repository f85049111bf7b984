//! Who has a lock, by lockdep's lists of held locks: for locks that do not record it themselves.

use std::collections::HashMap;

use super::wait::{Found, LockKind};
use crate::kernel::{Kernel, Walk};
use crate::state::HeldLock;

/// The holders of each lock, by the address of lockdep's part of it.
pub(super) struct Holders {
    by_instance: HashMap<u64, Vec<u64>>,
    /// Offsets of that part in each kind of lock.
    maps: HashMap<LockKind, u64>,
}

impl Holders {
    /// Those of all tasks; none on kernels without lockdep.
    pub(super) fn read(kernel: &Kernel) -> Self {
        let held: Walk<HeldLock> = kernel.held_locks().unwrap_or_default();
        let mut by_instance: HashMap<u64, Vec<u64>> = HashMap::new();
        for lock in held.items {
            by_instance.entry(lock.instance.0).or_default().push(lock.task.0);
        }
        let offset = |(kind, types): (LockKind, &[&str])| {
            let map = types.iter().find_map(|name| kernel.offset(name, "dep_map").ok())?;
            Some((kind, map))
        };
        let types: [(LockKind, &[&str]); 3] = [
            (LockKind::Rwsem, &["rw_semaphore"]),
            (LockKind::PercpuRwsem, &["percpu_rw_semaphore"]),
            (LockKind::Rwlock, &["rwlock", "rwlock_t"]),
        ];
        Self { by_instance, maps: types.into_iter().filter_map(offset).collect() }
    }

    /// A task that has a lock which several may have, or which does not say who does. Who only waits for it is on
    /// lockdep's lists, too, but once; of those who have it, one that waits itself is worth more.
    pub(super) fn of(&self, found: &Found, waits: &HashMap<u64, u64>) -> Option<u64> {
        if found.owner != 0 && !found.reader_owned {
            return None;
        }
        let map = self.maps.get(&found.kind)?;
        let listed = self.by_instance.get(&found.lock.wrapping_add(*map))?;
        let has = |task: &&u64| {
            let times = listed.iter().filter(|it| it == task).count();
            times > usize::from(waits.get(task) == Some(&found.lock))
        };
        let waiting = listed.iter().filter(has).find(|task| waits.contains_key(task));
        waiting.or_else(|| listed.iter().find(has)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(owner: u64, reader_owned: bool) -> Found {
        Found { kind: LockKind::Rwlock, lock: 0x100, function: String::new(), owner, reader_owned }
    }

    #[test]
    fn a_reader_that_waits_itself_comes_first_and_who_waits_for_the_lock_has_it_not() {
        let holders = Holders {
            by_instance: HashMap::from([(0x110, vec![1, 2, 3])]),
            maps: HashMap::from([(LockKind::Rwlock, 0x10)]),
        };
        let waits = HashMap::from([(1, 0x100), (3, 0x200)]);
        assert_eq!(holders.of(&found(0, true), &waits), Some(3));
        assert_eq!(holders.of(&found(0, true), &HashMap::from([(1, 0x100)])), Some(2));
        assert_eq!(holders.of(&found(7, false), &waits), None, "the lock says it itself");
    }

    #[test]
    fn a_task_may_wait_for_what_it_has_itself() {
        let holders = Holders {
            by_instance: HashMap::from([(0x110, vec![1, 1])]),
            maps: HashMap::from([(LockKind::Rwlock, 0x10)]),
        };
        assert_eq!(holders.of(&found(0, true), &HashMap::from([(1, 0x100)])), Some(1));
    }
}
