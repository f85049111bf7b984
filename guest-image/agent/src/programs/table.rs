//! All programs, by the id of the request that started them.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use agent_protocol::{Command, Ended, Failure, Message, Outcome, TerminalSize};
use rustix::event::{EventfdFlags, eventfd};

use crate::channel::Channel;
use crate::failure::{Answer, Context, failure};
use crate::programs::spawn::{self, Process};
use crate::programs::{pump, reaper, terminal};
use crate::{sys, threads};

/// How the harness asked for a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It wants one answer, at the end.
    Run,
    /// It wants an answer when the program runs, and a message at the end.
    Spawn,
}

/// The programs and who waits for them.
pub struct Programs {
    table: Mutex<Table>,
    /// Signalled when a program has been started: there is something to reap.
    started: Condvar,
    channel: Arc<Channel>,
}

/// Programs that run and that have ended.
pub type Table = BTreeMap<u64, Program>;

/// One program.
pub struct Program {
    kind: Kind,
    pid: u32,
    /// Whether `pid` still names the program's process group.
    owns_group: bool,
    since: Instant,
    /// Made readable by the reaper.
    exit: Arc<OwnedFd>,
    /// Its terminal, until it ends.
    terminal: Option<Arc<OwnedFd>>,
    ended: Option<Ended>,
    /// Whether the end has been sent.
    announced: bool,
    /// `Wait` requests to answer at the end.
    waiters: Vec<u64>,
}

impl Program {
    /// Whether this is process `pid`, not reaped yet.
    pub fn is_running_as(&self, pid: u32) -> bool {
        self.ended.is_none() && self.pid == pid
    }

    /// Takes note of the end, as the reaper saw it.
    pub fn end(&mut self, mut ended: Ended) {
        ended.wall_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.ended = Some(ended);
        self.terminal = None;
        // An eventfd takes 2^64 - 2 of these before it would block.
        let _ = rustix::io::write(&*self.exit, &1_u64.to_ne_bytes());
    }
}

impl Programs {
    /// No programs yet.
    pub fn new(channel: Arc<Channel>) -> Arc<Self> {
        Arc::new(Self { table: Mutex::default(), started: Condvar::new(), channel })
    }

    /// Starts the thread that reaps programs, and the orphans that init inherits.
    pub fn start_reaper(self: &Arc<Self>) -> Result<(), Failure> {
        let programs = Arc::clone(self);
        threads::start("reaper", move || reaper::run(&programs))
            .context(|| "cannot start the reaper".to_owned())
    }

    /// Starts a program for request `id` and sees to its answer.
    pub fn start(self: &Arc<Self>, id: u64, kind: Kind, command: &Command) {
        if let Err(failure) = self.launch(id, kind, command) {
            self.channel.done(id, Err(failure));
        }
    }

    fn launch(self: &Arc<Self>, id: u64, kind: Kind, command: &Command) -> Result<(), Failure> {
        let exit = eventfd(0, EventfdFlags::CLOEXEC).context(|| "no eventfd left".to_owned())?;
        let exit = Arc::new(exit);
        // Held while the process starts: the reaper must find it here however soon it ends, and
        // must leave one that never reached its program to whoever started it.
        let mut table = self.table();
        let mut process = spawn::spawn(command)?;
        let pid = process.pid;
        disown_group(&mut table, pid);
        let program = Program {
            kind,
            pid,
            owns_group: true,
            since: Instant::now(),
            exit: Arc::clone(&exit),
            terminal: process.terminal.take().map(Arc::new),
            ended: None,
            announced: false,
            waiters: Vec::new(),
        };
        table.insert(id, program);
        drop(table);
        self.started.notify_all();
        self.pump(id, process, exit)
    }

    fn pump(
        self: &Arc<Self>,
        id: u64,
        process: Process,
        exit: Arc<OwnedFd>,
    ) -> Result<(), Failure> {
        let programs = Arc::clone(self);
        let started = threads::start("pump", move || pump::run(&programs, id, process, &exit));
        started.context(|| "cannot start a thread".to_owned()).inspect_err(|_| {
            // Nobody would read what it writes or tell of its end: it must not go on.
            let _ = self.kill(id, libc::SIGKILL);
            self.table().remove(&id);
        })
    }

    /// Answers the request that started program `id`, if it wants to know of the start.
    pub fn announce_start(&self, id: u64) {
        let table = self.table();
        let spawned = table.get(&id).filter(|program| program.kind == Kind::Spawn);
        let Some(pid) = spawned.map(|program| program.pid) else {
            return;
        };
        drop(table);
        self.channel.done(id, Ok(Outcome::Started { pid }));
    }

    /// Sends `signal` to the group of program `target`.
    pub fn kill(&self, target: u64, signal: i32) -> Answer {
        let table = self.table();
        let program = table.get(&target).ok_or_else(|| unknown(target))?;
        if !program.owns_group {
            return Err(failure(format!("the program of request {target} has ended")));
        }
        sys::kill_group(program.pid.cast_signed(), signal)
            .context(|| format!("cannot signal the program of request {target}"))?;
        Ok(Outcome::Ok)
    }

    /// Types `bytes` into the terminal of program `target`.
    pub fn type_into(&self, target: u64, bytes: &[u8]) -> Answer {
        terminal::type_into(&*self.terminal(target)?, bytes).map(|()| Outcome::Ok)
    }

    /// Changes the size of the terminal of program `target`.
    pub fn resize(&self, target: u64, size: TerminalSize) -> Answer {
        terminal::resize(&*self.terminal(target)?, size).map(|()| Outcome::Ok)
    }

    fn terminal(&self, target: u64) -> Result<Arc<OwnedFd>, Failure> {
        let table = self.table();
        let program = table.get(&target).ok_or_else(|| unknown(target))?;
        let none =
            || failure(format!("the program of request {target} has no terminal, or has ended"));
        program.terminal.clone().ok_or_else(none)
    }

    /// Answers request `id` when program `target` has ended.
    pub fn wait(&self, id: u64, target: u64) {
        let mut table = self.table();
        let answer = match table.get_mut(&target) {
            None => Err(unknown(target)),
            Some(Program { announced: true, ended: Some(ended), .. }) => {
                Ok(Outcome::Ended(ended.clone()))
            }
            Some(program) => {
                program.waiters.push(id);
                return;
            }
        };
        drop(table);
        self.channel.done(id, answer);
    }

    /// Pid of the running program `target`.
    pub fn pid(&self, target: u64) -> Result<u32, Failure> {
        let table = self.table();
        let program = table.get(&target).ok_or_else(|| unknown(target))?;
        if program.ended.is_some() {
            return Err(failure(format!("the program of request {target} has ended")));
        }
        Ok(program.pid)
    }

    /// Sends the end of program `id` to all who asked for it, once the reaper has seen it.
    pub fn announce_end(&self, id: u64) {
        let mut table = self.table();
        let Some(program) = table.get_mut(&id) else {
            return;
        };
        let Some(ended) = program.ended.clone() else {
            return;
        };
        program.announced = true;
        let kind = program.kind;
        let waiters = std::mem::take(&mut program.waiters);
        drop(table);
        match kind {
            Kind::Run => self.channel.done(id, Ok(Outcome::Ended(ended.clone()))),
            Kind::Spawn => self.channel.send(&Message::Exited { id, ended: ended.clone() }),
        }
        for waiter in waiters {
            self.channel.done(waiter, Ok(Outcome::Ended(ended.clone())));
        }
    }

    /// Sends a message of a program.
    pub fn send(&self, message: &Message) {
        self.channel.send(message);
    }

    /// The table, locked.
    pub fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a program has been started and not been reaped.
    pub fn wait_for_one(&self) {
        let idle = |table: &mut Table| table.values().all(|program| program.ended.is_some());
        drop(self.started.wait_while(self.table(), idle));
    }
}

/// A pid is given out again once its process group is empty: from then on the group is another's.
fn disown_group(table: &mut Table, pid: u32) {
    for program in table.values_mut().filter(|program| program.pid == pid) {
        program.owns_group = false;
    }
}

fn unknown(target: u64) -> Failure {
    failure(format!("request {target} has started no program"))
}
