//! The views as text.

use std::io::{self, Write};

use inspect::expression::Printed;
use inspect::kernel::LoadedModule;
use inspect::state::{
    Cgroup, Diff, HeldLock, LockKind, LockWait, LogRecord, MemoryCounters, RunQueue, SlabCache,
    Task, TaskStack, Zone,
};
use inspect::symbols::SymbolError;
use inspect::{Address, Kernel};
use serde::Serialize;
use serde_json::Value;

use super::table::{self, Align::Left, Align::Right};

/// New objects of one cache that are listed in a diff.
const OBJECTS_SHOWN: usize = 8;

pub fn tasks(out: &mut impl Write, tasks: &[Task]) -> io::Result<()> {
    let rows: Vec<_> = tasks
        .iter()
        .map(|task| {
            [
                task.pid.to_string(),
                task.tgid.to_string(),
                task.ppid.to_string(),
                task.state.to_string(),
                format!("{}{}", task.cpu, if task.on_cpu { "*" } else { "" }),
                task.policy.to_owned(),
                task.priority.to_string(),
                task.address.to_string(),
                if task.kernel_thread { format!("[{}]", task.comm) } else { task.comm.clone() },
            ]
        })
        .collect();
    let columns = [
        ("PID", Right),
        ("TGID", Right),
        ("PPID", Right),
        ("S", Left),
        ("CPU", Left),
        ("POLICY", Left),
        ("PRIO", Right),
        ("TASK", Left),
        ("NAME", Left),
    ];
    table::write(out, columns, &rows)
}

pub fn log(out: &mut impl Write, records: &[LogRecord]) -> io::Result<()> {
    for record in records {
        let (seconds, micros) = (record.time_ns / 1_000_000_000, record.time_ns / 1000 % 1_000_000);
        // A record of several lines has its time on each, as dmesg(1) prints it.
        for line in record.text.split('\n') {
            writeln!(out, "[{seconds:>5}.{micros:06}] {line}")?;
        }
    }
    Ok(())
}

pub fn modules(out: &mut impl Write, modules: &[LoadedModule]) -> io::Result<()> {
    let row = |module: &LoadedModule| {
        [
            module.name.clone(),
            module.size.to_string(),
            module.references.to_string(),
            module.state.to_owned(),
            module.base.to_string(),
        ]
    };
    let rows: Vec<_> = modules.iter().map(row).collect();
    let columns =
        [("MODULE", Left), ("SIZE", Right), ("REFS", Right), ("STATE", Left), ("BASE", Left)];
    table::write(out, columns, &rows)
}

pub fn slabs(out: &mut impl Write, caches: &[SlabCache]) -> io::Result<()> {
    let row = |cache: &SlabCache| {
        [
            cache.name.clone(),
            cache.live.to_string(),
            cache.total.to_string(),
            cache.slabs.to_string(),
            cache.object_size.to_string(),
            cache.stride.to_string(),
        ]
    };
    let rows: Vec<_> = caches.iter().map(row).collect();
    let columns = [
        ("CACHE", Left),
        ("LIVE", Right),
        ("TOTAL", Right),
        ("SLABS", Right),
        ("OBJECT", Right),
        ("STRIDE", Right),
    ];
    table::write(out, columns, &rows)
}

pub fn zones(out: &mut impl Write, zones: &[Zone]) -> io::Result<()> {
    let row = |zone: &Zone| {
        let free: Vec<_> = zone.free.iter().map(|area| area.blocks.to_string()).collect();
        [
            zone.node.to_string(),
            zone.name.clone(),
            zone.managed_pages.to_string(),
            zone.free_kib.to_string(),
            free.join(" "),
        ]
    };
    let rows: Vec<_> = zones.iter().map(row).collect();
    let columns = [
        ("NODE", Right),
        ("ZONE", Left),
        ("MANAGED PAGES", Right),
        ("FREE KIB", Right),
        ("FREE BLOCKS BY ORDER", Left),
    ];
    table::write(out, columns, &rows)
}

pub fn run_queues(out: &mut impl Write, queues: &[RunQueue]) -> io::Result<()> {
    let row = |queue: &RunQueue| {
        [
            queue.cpu.to_string(),
            queue.nr_running.to_string(),
            queue.nr_switches.to_string(),
            format!("{} {}", queue.current_pid, queue.current_comm),
            queue.address.to_string(),
        ]
    };
    let rows: Vec<_> = queues.iter().map(row).collect();
    let columns =
        [("CPU", Right), ("RUNNABLE", Right), ("SWITCHES", Right), ("CURRENT", Left), ("RQ", Left)];
    table::write(out, columns, &rows)
}

pub fn cgroups(out: &mut impl Write, cgroups: &[Cgroup]) -> io::Result<()> {
    let row = |cgroup: &Cgroup| {
        let kib = |of: fn(&MemoryCounters) -> Option<u64>| {
            cgroup
                .memory
                .as_ref()
                .and_then(of)
                .map_or_else(String::new, |it| (it >> 10).to_string())
        };
        [cgroup.path.clone(), kib(|it| Some(it.current)), kib(|it| Some(it.peak)), kib(|it| it.max)]
    };
    let rows: Vec<_> = cgroups.iter().map(row).collect();
    let columns =
        [("CGROUP", Left), ("MEMORY KIB", Right), ("PEAK KIB", Right), ("MAX KIB", Right)];
    table::write(out, columns, &rows)
}

pub fn stacks(out: &mut impl Write, stacks: &[TaskStack]) -> io::Result<()> {
    for (index, entry) in stacks.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        stack(out, entry)?;
    }
    Ok(())
}

/// One task and its stack.
pub fn stack(out: &mut impl Write, entry: &TaskStack) -> io::Result<()> {
    let task = &entry.task;
    let place = if task.on_cpu { format!(" on CPU {}", task.cpu) } else { String::new() };
    writeln!(out, "{} {} ({}{place})", task.pid, task.comm, task.state)?;
    if let Some(why) = &entry.no_stack {
        return writeln!(out, "    no stack: {why}");
    }
    let Some(stack) = &entry.stack else {
        return Ok(());
    };
    let guess = stack.method == inspect::stack::Method::Scan;
    for frame in &stack.frames {
        writeln!(out, "    {}{}", if guess { "? " } else { "" }, frame.symbol)?;
    }
    if stack.from_user {
        writeln!(out, "    (user mode)")?;
    }
    if let Some(why) = &stack.broke {
        writeln!(out, "    broke: {why}")?;
    }
    Ok(())
}

pub fn locks(
    out: &mut impl Write,
    waits: &[LockWait],
    cycles: &[Vec<LockWait>],
    held: Option<&[HeldLock]>,
) -> io::Result<()> {
    if waits.is_empty() {
        writeln!(out, "no task waits for a lock")?;
    }
    for wait in waits {
        writeln!(out, "{}", sentence(wait))?;
    }
    for cycle in cycles {
        deadlock(out, cycle)?;
    }
    for lock in held.unwrap_or_default() {
        let mode = if lock.read { "reads" } else { "holds" };
        let HeldLock { pid, comm, class, instance, taken_at, .. } = lock;
        writeln!(out, "{pid} {comm} {mode} {class} {instance}, taken at {taken_at}")?;
    }
    Ok(())
}

/// A deadlock: who waits for whom.
pub fn deadlock(out: &mut impl Write, cycle: &[LockWait]) -> io::Result<()> {
    writeln!(out, "DEADLOCK of {} tasks:", cycle.len())?;
    for wait in cycle {
        writeln!(out, "    {}", sentence(wait))?;
    }
    Ok(())
}

/// Who waits for what, and who has it.
pub fn sentence(wait: &LockWait) -> String {
    let kind = match wait.kind {
        LockKind::Mutex => "mutex",
        LockKind::Rwsem => "rw-semaphore",
        LockKind::RtMutex => "rt-mutex",
        LockKind::Semaphore => "semaphore",
        LockKind::PercpuRwsem => "per-CPU rw-semaphore",
        LockKind::Spinlock => "spinlock",
        LockKind::Rwlock => "rwlock",
    };
    let name = wait.name.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
    let owner = match &wait.owner {
        Some(owner) if wait.reader_owned && wait.from_lockdep => {
            format!("readers have it, {} {} is one of them", owner.pid, owner.comm)
        }
        Some(owner) if wait.reader_owned => {
            format!("readers have it, {} {} came in last", owner.pid, owner.comm)
        }
        Some(owner) => format!("{} {} has it", owner.pid, owner.comm),
        None if wait.reader_owned => "readers have it".to_owned(),
        None if wait.kind.records_owner() => "nobody has it".to_owned(),
        None => "the kernel does not record who has it".to_owned(),
    };
    let (waiter, lock) = (&wait.waiter, wait.lock);
    format!("{} {} waits for {kind} {lock}{name}; {owner}", waiter.pid, waiter.comm)
}

/// A symbol that was looked up.
#[derive(Debug, Serialize)]
pub struct Found {
    /// Address.
    pub address: Address,
    /// Name, with the offset for an address inside.
    pub symbol: String,
    /// The module it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
}

impl Found {
    /// Every symbol of a name, or what lies at an address.
    ///
    /// # Errors
    /// When there is none.
    pub fn look_up(kernel: &Kernel, what: &str) -> Result<Vec<Self>, SymbolError> {
        let hex = what.strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok());
        if let Some(address) = hex {
            return Ok(vec![Self::at(kernel, address)]);
        }
        let own = kernel.symbols().all(what).into_iter().map(|symbol| symbol.address);
        let of_modules = kernel.module_symbols().iter();
        let of_modules = of_modules.flat_map(|(_, symbols)| symbols.all(what));
        let addresses: Vec<u64> = own.chain(of_modules.map(|symbol| symbol.address)).collect();
        if addresses.is_empty() {
            let nearest = kernel.symbols().names_like(what);
            return Err(SymbolError::Unknown { name: what.to_owned(), nearest });
        }
        Ok(addresses
            .into_iter()
            .map(|address| Self { symbol: what.to_owned(), ..Self::at(kernel, address) })
            .collect())
    }

    fn at(kernel: &Kernel, address: u64) -> Self {
        let module = kernel.locate(address).and_then(|(_, module)| module);
        Self {
            address: Address(address),
            symbol: kernel.symbolize(address),
            module: module.map(|module| module.name.clone()),
        }
    }
}

pub fn symbols(out: &mut impl Write, found: &Vec<Found>) -> io::Result<()> {
    for Found { address, symbol, module } in found {
        let module = module.as_ref().map_or_else(String::new, |module| format!(" [{module}]"));
        writeln!(
            out,
            "{address:<18} {symbol}{}",
            if symbol.ends_with(&module) { "" } else { &module }
        )?;
    }
    Ok(())
}

pub fn values(out: &mut impl Write, values: &Vec<Printed>) -> io::Result<()> {
    for value in values {
        write!(out, "({}) {} = ", value.type_name, value.expression)?;
        json(out, &value.value, 0)?;
        writeln!(out)?;
    }
    Ok(())
}

/// A value in the manner of C initialisers.
fn json(out: &mut impl Write, value: &Value, depth: usize) -> io::Result<()> {
    let indent = "    ".repeat(depth + 1);
    match value {
        Value::Object(members) => {
            writeln!(out, "{{")?;
            for (name, member) in members {
                write!(out, "{indent}.{name} = ")?;
                json(out, member, depth + 1)?;
                writeln!(out, ",")?;
            }
            write!(out, "{}}}", "    ".repeat(depth))
        }
        Value::Array(elements) => {
            write!(out, "{{ ")?;
            for element in elements {
                json(out, element, depth + 1)?;
                write!(out, ", ")?;
            }
            write!(out, "}}")
        }
        Value::String(text) if text.starts_with("0x") || text.starts_with('{') => {
            write!(out, "{text}")
        }
        Value::Null => write!(out, "<cannot be read>"),
        other => write!(out, "{other}"),
    }
}

pub fn diff(out: &mut impl Write, diff: &Diff) -> io::Result<()> {
    let rows: Vec<_> = diff
        .slabs
        .iter()
        .map(|change| {
            let new: Vec<_> =
                change.new.iter().take(OBJECTS_SHOWN).map(ToString::to_string).collect();
            let more = if change.new.len() > OBJECTS_SHOWN { " ..." } else { "" };
            [
                change.name.clone(),
                format!("{:+}", change.growth),
                change.before.to_string(),
                change.after.to_string(),
                format!("{}{more}", new.join(" ")),
            ]
        })
        .collect();
    let columns = [
        ("CACHE", Left),
        ("GROWTH", Right),
        ("BEFORE", Right),
        ("AFTER", Right),
        ("NEW OBJECTS", Left),
    ];
    table::write(out, columns, &rows)?;
    for (sign, tasks) in [('+', &diff.new_tasks), ('-', &diff.gone_tasks)] {
        for (pid, comm) in tasks {
            writeln!(out, "{sign} task {pid} {comm}")?;
        }
    }
    for (sign, modules) in [('+', &diff.new_modules), ('-', &diff.gone_modules)] {
        for module in modules {
            writeln!(out, "{sign} module {module}")?;
        }
    }
    Ok(())
}
