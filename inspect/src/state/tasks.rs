//! Tasks: processes, threads, kernel threads, and the idle task of each CPU.

use std::collections::HashSet;

use serde::Serialize;

use super::task_state::{self, PF_KTHREAD};
use crate::Address;
use crate::kernel::{Error, Field, Kernel, Walk};

/// One thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Task {
    /// Address of its `task_struct`.
    pub address: Address,
    /// Thread id; 0 for the idle task of each CPU.
    pub pid: i64,
    /// Process id, the same for all threads of a process.
    pub tgid: i64,
    /// Process id of the parent.
    pub ppid: i64,
    /// Name, at most 15 bytes.
    pub comm: String,
    /// State as a letter, as in ps(1): `R S D T t X Z P I`.
    pub state: char,
    /// The CPU that it runs or last ran on.
    pub cpu: u64,
    /// Whether it is running right now.
    pub on_cpu: bool,
    /// Scheduling policy: `other fifo rr batch idle deadline ext`.
    pub policy: &'static str,
    /// Kernel priority: 0 to 99 real-time, 120 is nice 0.
    pub priority: i64,
    /// Nice value.
    pub nice: i64,
    /// CPUs it may run on, as a list: `0-3`.
    pub cpus_allowed: String,
    /// Whether it is a kernel thread.
    pub kernel_thread: bool,
    /// `PF_*` flags.
    pub flags: Address,
}

/// Members of `task_struct` as this kernel has them.
struct Fields {
    pid: Field,
    tgid: Field,
    parent: Field,
    comm: Field,
    state: Field,
    exit_state: Field,
    cpu: Option<Field>,
    on_cpu: Option<Field>,
    policy: Field,
    priority: Field,
    static_priority: Field,
    cpus: Field,
    flags: Field,
}

impl Fields {
    fn resolve(kernel: &Kernel) -> Result<Self, Error> {
        let task = |path| kernel.field("task_struct", path);
        let either = |new, old| kernel.field_any(&[("task_struct", new), ("task_struct", old)]);
        Ok(Self {
            pid: task("pid")?,
            tgid: task("tgid")?,
            parent: task("real_parent")?,
            comm: task("comm")?,
            state: either("__state", "state")?,
            exit_state: task("exit_state")?,
            cpu: either("thread_info.cpu", "cpu").ok(),
            on_cpu: task("on_cpu").ok(),
            policy: task("policy")?,
            priority: task("prio")?,
            static_priority: task("static_prio")?,
            cpus: either("cpus_mask", "cpus_allowed")?,
            flags: task("flags")?,
        })
    }

    fn read(&self, kernel: &Kernel, at: u64) -> Result<Task, Error> {
        let get = |field| kernel.get(at, field);
        let optional = |field: Option<Field>| field.map_or(Ok(0), get);
        let flags = get(self.flags)?;
        // The parent of a dead parent may be gone; that makes the child no less real.
        let ppid = kernel.get_signed(get(self.parent)?, self.tgid);
        Ok(Task {
            address: Address(at),
            pid: kernel.get_signed(at, self.pid)?,
            tgid: kernel.get_signed(at, self.tgid)?,
            ppid: ppid.unwrap_or(0),
            comm: kernel.text(at, self.comm)?,
            state: task_state::letter(get(self.state)?, get(self.exit_state)?),
            cpu: optional(self.cpu)?,
            on_cpu: optional(self.on_cpu)? != 0,
            policy: task_state::policy(get(self.policy)?),
            priority: kernel.get_signed(at, self.priority)?,
            nice: kernel.get_signed(at, self.static_priority)?.saturating_sub(120),
            cpus_allowed: task_state::cpu_list(&kernel.mask_at(at.wrapping_add(self.cpus.offset))?),
            kernel_thread: flags & PF_KTHREAD != 0,
            flags: Address(flags),
        })
    }
}

impl Kernel {
    /// All threads: the idle tasks first, then every process with its threads.
    ///
    /// # Errors
    /// Where this kernel's `task_struct` is not what any known version has.
    pub fn tasks(&self) -> Result<Walk<Task>, Error> {
        let fields = Fields::resolve(self)?;
        let addresses = self.task_addresses()?;
        Ok(addresses.then(|at, walk| walk.take(at, fields.read(self, at))))
    }

    /// The task at an address.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn task_at(&self, address: u64) -> Result<Task, Error> {
        Fields::resolve(self)?.read(self, address)
    }

    fn task_addresses(&self) -> Result<Walk<u64>, Error> {
        let init = self.symbols().address("init_task")?;
        let tasks = self.offset("task_struct", "tasks")?;
        let mut seen = HashSet::from([init]);
        let mut all = Walk::default();
        all.items.push(init);
        all.items.extend(self.idle_tasks().into_iter().filter(|idle| seen.insert(*idle)));
        let leaders = self.list(init.wrapping_add(tasks), tasks);
        all.broke_at.extend(leaders.broke_at);
        for leader in leaders.items {
            let threads = self.threads(leader)?;
            all.broke_at.extend(threads.broke_at);
            // A broken thread list must not hide the leader, nor name a thread twice.
            let found = std::iter::once(leader).chain(threads.items);
            all.items.extend(found.filter(|thread| seen.insert(*thread)));
        }
        Ok(all)
    }

    fn threads(&self, leader: u64) -> Result<Walk<u64>, Error> {
        let signal = self.get(leader, self.field("task_struct", "signal")?);
        let head = self.offset("signal_struct", "thread_head")?;
        let link = self.offset("task_struct", "thread_node")?;
        Ok(match signal {
            Ok(signal) => self.list(signal.wrapping_add(head), link),
            Err(error) => {
                let mut walk = Walk::default();
                walk.broke(leader, error);
                walk
            }
        })
    }

    /// The idle task of each CPU; none where the run queues are not set up yet.
    fn idle_tasks(&self) -> Vec<u64> {
        let idle = |cpu| {
            let queue = self.per_cpu("runqueues", cpu)?;
            self.get(queue, self.field("rq", "idle")?)
        };
        let cpus = self.online_cpus().unwrap_or_default();
        cpus.into_iter().filter_map(|cpu| idle(cpu).ok()).filter(|task| *task != 0).collect()
    }
}
