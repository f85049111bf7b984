//! Workqueues: what waits in them, and which worker runs what.
//!
//! Source: kernel/workqueue.c, `struct workqueue_struct`, `struct pool_workqueue`, `struct worker_pool`;
//! kernel/workqueue_internal.h, `struct worker`; include/linux/workqueue.h, `WQ_*`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::Address;
use crate::kernel::{Error, Kernel, Walk};

/// `WORK_STRUCT_PWQ`: the work's data is the pool_workqueue that it is queued on, with flags below.
const WORK_PWQ: u64 = 1 << 2;
/// `WORK_STRUCT_PWQ_SHIFT` is 8, or 9 with DEBUG_OBJECTS_WORK, before 6.9 a bit less; all of them are above
/// the flags and below the alignment of a pool_workqueue.
const WORK_FLAGS: u64 = 0xff;

/// Flags of a workqueue that say how it works.
const FLAGS: [(u64, &str); 7] = [
    (1 << 0, "bh"),
    (1 << 1, "unbound"),
    (1 << 2, "freezable"),
    (1 << 3, "mem_reclaim"),
    (1 << 4, "highpri"),
    (1 << 5, "cpu_intensive"),
    (1 << 17, "ordered"),
];

/// One workqueue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Workqueue {
    /// Name.
    pub name: String,
    /// Address of its `struct workqueue_struct`.
    pub address: Address,
    /// How it works: `unbound`, `mem_reclaim`, `highpri` and so on.
    pub flags: Vec<&'static str>,
    /// Works that count against its limit now.
    pub active: u64,
    /// Works that wait, those that are held back by the limit last.
    pub pending: Vec<Work>,
    /// Works that a worker runs now.
    pub running: Vec<RunningWork>,
}

/// A work that waits for a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Work {
    /// Address of its `struct work_struct`.
    pub address: Address,
    /// The function that it calls.
    pub function: String,
    /// The CPU of its pool; -1 for a pool of no CPU.
    pub cpu: i64,
}

/// A work that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunningWork {
    /// Address of its `struct work_struct`; it may be freed already.
    pub address: Address,
    /// The function that runs.
    pub function: String,
    /// Thread id of the worker.
    pub pid: i64,
    /// Name of the worker.
    pub comm: String,
}

/// What all pools have, by the pool_workqueue that it is of.
#[derive(Default)]
struct Pools {
    pending: BTreeMap<u64, Vec<Work>>,
    running: BTreeMap<u64, Vec<RunningWork>>,
}

impl Kernel {
    /// All workqueues, in the order in which they were made.
    ///
    /// # Errors
    /// Where this kernel's workqueues are not what any known version has.
    pub fn workqueues(&self) -> Result<Walk<Workqueue>, Error> {
        let head = self.symbols().address("workqueues")?;
        let list = self.list(head, self.offset("workqueue_struct", "list")?);
        let pwqs = self.offset("workqueue_struct", "pwqs")?;
        let link = self.offset("pool_workqueue", "pwqs_node")?;
        let pool = self.field("pool_workqueue", "pool")?;
        let mut broke_at = list.broke_at;
        let mut queues = Vec::new();
        let mut pools = BTreeSet::new();
        for queue in list.items {
            let of = self.list(queue.wrapping_add(pwqs), link);
            broke_at.extend(of.broke_at);
            pools.extend(of.items.iter().filter_map(|pwq| self.get(*pwq, pool).ok()));
            queues.push((queue, of.items));
        }
        let mut walk = Walk { items: Vec::new(), broke_at };
        let found = self.pools(&pools, &mut walk)?;
        for (at, pwqs) in queues {
            let queue = self.workqueue(at, &pwqs, &found, &mut walk);
            walk.take(at, queue);
        }
        Ok(walk)
    }

    fn workqueue(
        &self,
        at: u64,
        pwqs: &[u64],
        pools: &Pools,
        walk: &mut Walk<Workqueue>,
    ) -> Result<Workqueue, Error> {
        let field = |path| self.field("workqueue_struct", path);
        let flags = self.get(at, field("flags")?)?;
        let name = field("name")?;
        // An array in the queue itself; a pointer in very old kernels.
        let name = if name.size > 8 { self.text(at, name)? } else { self.text_at(at, name)? };
        let active = self.field("pool_workqueue", "nr_active")?;
        let held_back = self.field_any(&[
            ("pool_workqueue", "inactive_works"),
            ("pool_workqueue", "delayed_works"),
        ])?;
        let mut queue = Workqueue {
            name,
            address: Address(at),
            flags: FLAGS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, it)| *it).collect(),
            active: 0,
            pending: Vec::new(),
            running: Vec::new(),
        };
        let mut inactive = Vec::new();
        for pwq in pwqs {
            queue.active = queue.active.saturating_add(self.get(*pwq, active)?);
            queue.pending.extend(pools.pending.get(pwq).into_iter().flatten().cloned());
            queue.running.extend(pools.running.get(pwq).into_iter().flatten().cloned());
            let pool = self.get(*pwq, self.field("pool_workqueue", "pool")?)?;
            let cpu = self.pool_cpu(pool)?;
            let works = self.works(pwq.wrapping_add(held_back.offset), cpu)?;
            walk.broke_at.extend(works.broke_at);
            inactive.extend(works.items.into_iter().map(|(_, work)| work));
        }
        queue.pending.extend(inactive);
        Ok(queue)
    }

    fn pools(&self, pools: &BTreeSet<u64>, walk: &mut Walk<Workqueue>) -> Result<Pools, Error> {
        let worklist = self.offset("worker_pool", "worklist")?;
        let workers = self.offset("worker_pool", "workers")?;
        let node = self.offset("worker", "node")?;
        let mut all = Pools::default();
        for pool in pools {
            let cpu = match self.pool_cpu(*pool) {
                Ok(cpu) => cpu,
                Err(error) => {
                    walk.broke(*pool, error);
                    continue;
                }
            };
            let works = self.works(pool.wrapping_add(worklist), cpu)?;
            walk.broke_at.extend(works.broke_at);
            for (pwq, work) in works.items {
                all.pending.entry(pwq).or_default().push(work);
            }
            let list = self.list(pool.wrapping_add(workers), node);
            walk.broke_at.extend(list.broke_at);
            for worker in list.items {
                match self.running(worker) {
                    Ok(Some((pwq, work))) => all.running.entry(pwq).or_default().push(work),
                    Ok(None) => {}
                    Err(error) => walk.broke(worker, error),
                }
            }
        }
        Ok(all)
    }

    fn pool_cpu(&self, pool: u64) -> Result<i64, Error> {
        self.get_signed(pool, self.field("worker_pool", "cpu")?)
    }

    /// The works on a list, each with the pool_workqueue that it is of (0 for none).
    fn works(&self, head: u64, cpu: i64) -> Result<Walk<(u64, Work)>, Error> {
        let entry = self.offset("work_struct", "entry")?;
        let function = self.field("work_struct", "func")?;
        let data = self.field("work_struct", "data.counter")?;
        Ok(self.list(head, entry).then(|at, walk| {
            let work = self.get(at, function).and_then(|function| {
                let data = self.get(at, data)?;
                let pwq = if data & WORK_PWQ == 0 { 0 } else { data & !WORK_FLAGS };
                let function = self.symbolize(function);
                Ok((pwq, Work { address: Address(at), function, cpu }))
            });
            walk.take(at, work);
        }))
    }

    /// What a worker runs, and the pool_workqueue of that; nothing for an idle one.
    fn running(&self, worker: u64) -> Result<Option<(u64, RunningWork)>, Error> {
        let get = |path| self.get(worker, self.field("worker", path)?);
        let work = get("current_work")?;
        if work == 0 {
            return Ok(None);
        }
        let task = get("task")?;
        let running = RunningWork {
            address: Address(work),
            function: self.symbolize(get("current_func")?),
            pid: self.get_signed(task, self.field("task_struct", "pid")?)?,
            comm: self.text(task, self.field("task_struct", "comm")?)?,
        };
        Ok(Some((get("current_pwq")?, running)))
    }
}
