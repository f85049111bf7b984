//! Takes requests from the channel and answers each once.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;

use agent_protocol::{Framing, LineBuffer, Message, Op, Outcome, Request, VERSION};

use crate::channel::Channel;
use crate::failure::{Answer, Context};
use crate::programs::{Kind, Programs};
use crate::serve::{files, resume, sample};
use crate::{kmsg, modules, power, sched, threads};

/// Serves the channel until it closes.
pub fn on(channel: File, warnings: Vec<String>) {
    // Only a serial line is a terminal.
    let framing = if channel.is_terminal() { Framing::Frames } else { Framing::Lines };
    match channel.try_clone() {
        Ok(out) => Agent::new(out, framing).serve(channel, framing, warnings),
        Err(error) => kmsg::error(&format!("cannot duplicate the control channel: {error}")),
    }
}

/// Serves standard input, a socket: the agent as an ordinary process, for its tests.
pub fn on_stdin() -> ExitCode {
    match io::stdin().as_fd().try_clone_to_owned() {
        Ok(channel) => {
            on(File::from(channel), Vec::new());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("kharness-agent: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Agent {
    channel: Arc<Channel>,
    programs: Arc<Programs>,
}

impl Agent {
    fn new(out: File, framing: Framing) -> Self {
        let channel = Arc::new(Channel::new(out, framing));
        Self { programs: Programs::new(Arc::clone(&channel)), channel }
    }

    fn serve(&self, mut input: File, framing: Framing, mut warnings: Vec<String>) {
        warnings.extend(self.programs.start_reaper().err().map(|failure| failure.message));
        self.channel.send(&ready(warnings));
        let mut lines = LineBuffer::new(framing);
        let mut chunk = vec![0; 16 << 10];
        loop {
            match input.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return,
                Ok(length) => {
                    self.channel.acknowledge(length);
                    lines.push(&chunk[..length]);
                    self.handle_all(&mut lines);
                }
            }
        }
    }

    fn handle_all(&self, lines: &mut LineBuffer) {
        while let Some(request) = lines.pop::<Request>() {
            match request {
                Ok(request) => self.handle(request),
                Err(error) => self.channel.send(&Message::Rejected { reason: error.to_string() }),
            }
        }
    }

    /// Answers, or starts what will answer. What refers to programs is done here and now, so
    /// that requests see the programs of the requests before them; what may block is not.
    fn handle(&self, request: Request) {
        let id = request.id;
        if let Some(step) = &request.step {
            kmsg::mark(step);
        }
        match request.op {
            Op::Ping => self.channel.done(id, Ok(Outcome::Ok)),
            Op::Run(command) => self.programs.start(id, Kind::Run, &command),
            Op::Spawn(command) => self.programs.start(id, Kind::Spawn, &command),
            Op::Kill { target, signal } => {
                self.channel.done(id, self.programs.kill(target, signal));
            }
            Op::Type { target, data } => {
                self.channel.done(id, self.programs.type_into(target, data.as_bytes()));
            }
            Op::Resize { target, size } => {
                self.channel.done(id, self.programs.resize(target, size));
            }
            Op::Wait { target } => self.programs.wait(id, target),
            Op::Sched { target, sched } => {
                let pid = self.programs.pid(target);
                let applied = pid.and_then(|pid| sched::apply(pid, &sched));
                self.channel.done(id, applied.map(|()| Outcome::Ok));
            }
            Op::Resume { wall_ns, seed } => {
                self.channel.done(id, resume::resume(wall_ns, seed).map(|()| Outcome::Ok));
            }
            Op::PowerOff => power::off(),
            op => self.in_background(id, op),
        }
    }

    fn in_background(&self, id: u64, op: Op) {
        let channel = Arc::clone(&self.channel);
        let started = threads::start("request", move || channel.done(id, perform(op)));
        if let Err(failure) = started.context(|| "cannot start a thread".to_owned()) {
            self.channel.done(id, Err(failure));
        }
    }
}

/// The operations that need nothing of the agent's state.
fn perform(op: Op) -> Answer {
    match op {
        Op::Write { path, value } => files::write(&path, value.as_bytes()),
        Op::Sysctl { name, value } => files::write(&files::sysctl_path(&name), value.as_bytes()),
        Op::Sysrq { key } => files::write("/proc/sysrq-trigger", key.to_string().as_bytes()),
        Op::Put { path, mode, data } => files::put(&path, mode, data.as_bytes()),
        Op::Load { module, params } => modules::load(&module, &params),
        Op::Unload { module } => modules::unload(&module),
        Op::Read { path } => return files::read(&path).map(Outcome::Contents),
        Op::Sample => return sample::take().map(Outcome::Sample),
        // The operations that the caller has handled.
        _ => Ok(()),
    }
    .map(|()| Outcome::Ok)
}

fn ready(warnings: Vec<String>) -> Message {
    let name = rustix::system::uname();
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let cpus = stat.lines().filter(|line| is_cpu(line)).count();
    Message::Ready {
        version: VERSION,
        release: name.release().to_string_lossy().into_owned(),
        machine: name.machine().to_string_lossy().into_owned(),
        cpus: u32::try_from(cpus).unwrap_or(u32::MAX),
        uptime_ms: sample::uptime_ms(),
        warnings,
    }
}

/// Lines `cpu0 …` of /proc/stat are the CPUs online; `cpu  …` is their sum.
fn is_cpu(line: &str) -> bool {
    line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
