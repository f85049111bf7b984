//! Tasks that wait for each other in a circle.

use std::collections::{HashMap, HashSet};

use super::LockWait;
use crate::Address;

/// The circles in "waits for a lock that is owned by". Every task waits for one lock at most, so from each
/// there is one way to go.
pub(super) fn cycles(waits: &[LockWait]) -> Vec<Vec<LockWait>> {
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
    use crate::state::{LockKind, Party};

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
            from_lockdep: false,
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
