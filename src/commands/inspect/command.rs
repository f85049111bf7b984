//! Arguments, and one arm for each view.

use std::io::{self, Write};
use std::path::PathBuf;

use inspect::Kernel;
use inspect::kernel::{Broke, Walk};
use inspect::state::{LockClass, Mapping, Sysctl, Task, TaskStack, Timer, Workqueue};
use serde::Serialize;

use super::lines::Lines;
use super::tools::Tool;
use super::{attach, attach_live, prompt, resolve, subsystems, summary, text, tools};
use crate::error::Failure;
use crate::exit::Exit;

/// Arguments of `kharness inspect`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "With no view: a summary. No debug information is needed: symbols and types \
come from the guest's memory.\nExit codes: 0 shown; 2 the file is bad, or there is no such name."
)]
pub struct Args {
    /// A snapshot directory, a run directory, or an ELF vmcore
    #[arg(value_name = "SNAPSHOT|VMCORE")]
    path: PathBuf,
    /// Print one JSON document
    #[arg(long, global = true)]
    json: bool,
    /// Ask at a prompt, with history and completion
    #[arg(short, long, conflicts_with = "json")]
    interactive: bool,
    /// Look at the guest that runs in this run directory now. It is not paused: what changes meanwhile may
    /// break a walk, which is said
    #[arg(long, conflicts_with = "tool")]
    live: bool,
    /// Start drgn on it
    #[arg(long, group = "tool")]
    drgn: bool,
    /// Start crash on it
    #[arg(long, group = "tool")]
    crash: bool,
    /// Start gdb on it
    #[arg(long, group = "tool")]
    gdb: bool,
    /// The vmlinux of that very build: stacks then have source lines [default: looked for, for the tools]
    #[arg(long, value_name = "FILE", global = true)]
    vmlinux: Option<PathBuf>,
    /// What to show
    #[command(subcommand)]
    view: Option<View>,
}

impl Args {
    fn tool(&self) -> Option<Tool> {
        let tools = [(self.drgn, Tool::Drgn), (self.crash, Tool::Crash), (self.gdb, Tool::Gdb)];
        tools.into_iter().find_map(|(wanted, tool)| wanted.then_some(tool))
    }
}

/// What to show.
#[derive(Debug, clap::Subcommand)]
pub(super) enum View {
    /// Tasks and threads
    Tasks {
        /// Only tasks in these states, such as `D` or `RD`
        #[arg(long, value_name = "LETTERS")]
        state: Option<String>,
        /// Only tasks whose name contains this
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
    },
    /// The kernel log, from the ring buffer in memory
    Dmesg {
        /// Only this severity and worse: 0 (emergency) to 7 (debug)
        #[arg(long, value_name = "0-7")]
        level: Option<u8>,
    },
    /// Loaded modules
    Modules,
    /// Slab caches with exact counts of live objects
    Slabs {
        /// Only caches whose name contains this
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
    },
    /// Who waits for which lock, and deadlocks; held locks on kernels with lockdep
    Locks,
    /// Memory zones and free blocks by order
    Zones,
    /// Run queues
    Runqueues,
    /// Cgroups with their memory counters
    Cgroups,
    /// Kernel stacks
    Stack {
        /// Thread ids; all threads without any
        #[arg(value_name = "PID")]
        pids: Vec<i64>,
    },
    /// Pending timers
    Timers {
        /// Only timers whose function contains this
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
    },
    /// Workqueues, with the works that wait and that run
    Workqueues {
        /// Only workqueues whose name contains this
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
    },
    /// Sysctl values
    Sysctl {
        /// Only names that begin with one of these; all without any
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Areas of a process, and what of them is mapped
    Maps {
        /// Thread id
        #[arg(value_name = "PID")]
        pid: i64,
    },
    /// Classes of locks, and which was taken inside of which; on kernels with lockdep
    Lockdep {
        /// Only classes whose name contains this
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
    },
    /// What taints the kernel
    Taint,
    /// The members of a type, also of one that only a module has
    Type {
        /// Names, with or without `struct`
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
    /// Symbols by name or address
    Sym {
        /// A name, or an address like 0xffffffff81000000
        #[arg(value_name = "NAME|ADDRESS", required = true)]
        symbols: Vec<String>,
    },
    /// Values of typed paths: `init_task.comm`, `*(struct rq *)per_cpu(runqueues, 1)`
    Print {
        /// The path
        #[arg(value_name = "EXPRESSION", required = true)]
        expressions: Vec<String>,
    },
    /// What changed since this snapshot, in a later one of the same boot
    Diff {
        /// The later snapshot
        #[arg(value_name = "LATER")]
        later: PathBuf,
    },
}

/// Shows one view.
///
/// # Errors
/// When the file is bad, or has not what was asked for.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let path = if args.live { args.path.clone() } else { resolve(&args.path)? };
    let kernel = if args.live { attach_live(&path)? } else { attach(&path)? };
    if let Some(tool) = args.tool() {
        return tools::start(tool, &path, &kernel, args.vmlinux.as_deref());
    }
    if args.interactive {
        return prompt::run(&kernel);
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    let lines = args.vmlinux.as_deref().map(|path| Lines::open(&kernel, path)).transpose()?;
    let mut shower = Shower { out: &mut out, json: args.json, lines };
    match args.view.as_ref() {
        None => shower.show(&kernel.summary().map_err(wrong)?, summary::write)?,
        Some(view) => shower.view(&kernel, view)?,
    }
    out.flush()?;
    Ok(Exit::Good)
}

/// An error of inspection: the guest has not what was asked for.
fn wrong(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Usage, error)
}

/// Writes a view in the form that was asked for.
pub(super) struct Shower<'a, W> {
    out: &'a mut W,
    json: bool,
    lines: Option<Lines>,
}

impl<'a, W: Write> Shower<'a, W> {
    pub fn new(out: &'a mut W, json: bool) -> Self {
        Self { out, json, lines: None }
    }

    pub fn view(&mut self, kernel: &Kernel, view: &View) -> Result<(), Failure> {
        match view {
            View::Tasks { state, name } => {
                let wanted = |task: &Task| {
                    state.as_ref().is_none_or(|letters| letters.contains(task.state))
                        && name.as_ref().is_none_or(|name| task.comm.contains(name.as_str()))
                };
                self.walk(kernel.tasks(), wanted, text::tasks)
            }
            View::Dmesg { level } => {
                self.walk(kernel.log(), |it| level.is_none_or(|most| it.level <= most), text::log)
            }
            View::Modules => self.walk(kernel.modules(), |_| true, text::modules),
            View::Slabs { name } => {
                let wanted = |cache: &inspect::state::SlabCache| {
                    name.as_ref().is_none_or(|name| cache.name.contains(name.as_str()))
                };
                self.walk(kernel.slabs(), wanted, text::slabs)
            }
            View::Locks => self.locks(kernel),
            View::Zones => self.walk(kernel.zones(), |_| true, text::zones),
            View::Runqueues => self.walk(kernel.run_queues(), |_| true, text::run_queues),
            View::Cgroups => self.walk(kernel.cgroups(), |_| true, text::cgroups),
            View::Stack { pids } => {
                let mut stacks = stacks(kernel, pids);
                if let (Ok(stacks), Some(lines)) = (&mut stacks, &self.lines) {
                    stacks.items.iter_mut().for_each(|stack| lines.add_to(stack));
                }
                self.walk(stacks, |_| true, text::stacks)
            }
            View::Timers { name } => {
                let wanted = |it: &Timer| contains(&it.function, name.as_deref());
                self.walk(kernel.timers(), wanted, subsystems::timers)
            }
            View::Workqueues { name } => {
                let wanted = |it: &Workqueue| contains(&it.name, name.as_deref());
                self.walk(kernel.workqueues(), wanted, subsystems::workqueues)
            }
            View::Sysctl { names } => {
                let wanted = |it: &Sysctl| {
                    names.is_empty() || names.iter().any(|name| it.name.starts_with(name.as_str()))
                };
                self.walk(kernel.sysctls(), wanted, subsystems::sysctls)
            }
            View::Maps { pid } => self.walk(maps(kernel, *pid), |_| true, subsystems::maps),
            View::Lockdep { name } => {
                let wanted = |it: &LockClass| contains(&it.name, name.as_deref());
                self.walk(kernel.lock_classes(), wanted, subsystems::lock_classes)
            }
            View::Taint => self.show(&kernel.taint().map_err(wrong)?, subsystems::taint),
            View::Type { names } => self.types(kernel, names),
            View::Sym { symbols } => self.symbols(kernel, symbols),
            View::Print { expressions } => self.print(kernel, expressions),
            View::Diff { later } => {
                let diff = kernel.diff(&attach(later)?).map_err(wrong)?;
                self.show(&diff, text::diff)
            }
        }
    }

    fn show<T: Serialize>(
        &mut self,
        value: &T,
        write: impl Fn(&mut W, &T) -> io::Result<()>,
    ) -> Result<(), Failure> {
        if !self.json {
            return Ok(write(self.out, value)?);
        }
        let document = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
        Ok(writeln!(self.out, "{document}")?)
    }

    fn walk<T: Serialize>(
        &mut self,
        walk: Result<Walk<T>, inspect::Error>,
        wanted: impl Fn(&T) -> bool,
        write: impl Fn(&mut W, &[T]) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let mut walk = walk.map_err(wrong)?;
        walk.items.retain(wanted);
        if !self.json {
            warn(&walk.broke_at)?;
        }
        self.show(&walk, |out, walk| write(out, &walk.items))
    }

    fn locks(&mut self, kernel: &Kernel) -> Result<(), Failure> {
        #[derive(Serialize)]
        struct View {
            waits: Vec<inspect::state::LockWait>,
            cycles: Vec<Vec<inspect::state::LockWait>>,
            /// `null` without lockdep.
            held: Option<Vec<inspect::state::HeldLock>>,
            broke_at: Vec<Broke>,
        }
        let (locks, tasks) = kernel.locks().map_err(wrong)?;
        let mut broke_at = tasks.broke_at;
        let held = kernel.has_lockdep().then(|| kernel.held_locks()).transpose().map_err(wrong)?;
        let held = held.map(|held| {
            broke_at.extend(held.broke_at);
            held.items
        });
        let view = View { waits: locks.waits, cycles: locks.cycles, held, broke_at };
        self.show(&view, |out, view| {
            text::locks(out, &view.waits, &view.cycles, view.held.as_deref())
        })
    }

    fn symbols(&mut self, kernel: &Kernel, names: &[String]) -> Result<(), Failure> {
        let found: Result<Vec<_>, Failure> =
            names.iter().map(|name| text::Found::look_up(kernel, name).map_err(wrong)).collect();
        self.show(&found?.into_iter().flatten().collect(), text::symbols)
    }

    fn types(&mut self, kernel: &Kernel, names: &[String]) -> Result<(), Failure> {
        if !self.json {
            warn(kernel.without_types())?;
        }
        let found: Result<Vec<_>, Failure> =
            names.iter().map(|name| kernel.types().definition(name).map_err(wrong)).collect();
        self.show(&found?, subsystems::definitions)
    }

    fn print(&mut self, kernel: &Kernel, expressions: &[String]) -> Result<(), Failure> {
        let values: Result<Vec<_>, Failure> = expressions
            .iter()
            .map(|expression| kernel.evaluate(expression).map_err(wrong))
            .collect();
        self.show(&values?, text::values)
    }
}

fn warn(broke_at: &[Broke]) -> io::Result<()> {
    for broke in broke_at {
        writeln!(io::stderr(), "kharness: broke at {}: {}", broke.at, broke.why)?;
    }
    Ok(())
}

fn contains(text: &str, part: Option<&str>) -> bool {
    part.is_none_or(|part| text.contains(part))
}

/// The areas of the process of a thread; one that does not exist is an error.
fn maps(kernel: &Kernel, pid: i64) -> Result<Walk<Mapping>, inspect::Error> {
    let tasks = kernel.tasks()?;
    let task = tasks.items.iter().find(|task| task.pid == pid);
    let none = || inspect::Error::Question(format!("there is no thread {pid}"));
    kernel.mappings(task.ok_or_else(none)?)
}

/// The stacks of these threads, or of all; a thread that does not exist is an error.
fn stacks(kernel: &Kernel, pids: &[i64]) -> Result<Walk<TaskStack>, inspect::Error> {
    let tasks = kernel.tasks()?;
    if let Some(pid) = pids.iter().find(|pid| tasks.items.iter().all(|task| task.pid != **pid)) {
        return Err(inspect::Error::Question(format!("there is no thread {pid}")));
    }
    Ok(tasks.then(|task, walk| {
        if pids.is_empty() || pids.contains(&task.pid) {
            walk.items.push(kernel.with_stack(&task));
        }
    }))
}
