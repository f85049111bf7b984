//! Turns a `Command` of the protocol into a process.

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::os::fd::OwnedFd;
use std::process::{self, Child, Stdio};

use agent_protocol::{Command, Failure, TerminalSize};
use rustix::fs::{MemfdFlags, OFlags, fcntl_setfl, memfd_create};

use crate::failure::{Context, failure};
use crate::programs::{gate, terminal};
use crate::sched;

/// Where programs are looked up when the request does not say.
const PATH: &str = "/bin:/sbin:/usr/bin:/usr/sbin:/usr/local/bin";

/// A process that runs the program, with the agent's ends of its output.
pub struct Process {
    pub pid: u32,
    pub stdout: OwnedFd,
    /// Absent where all output goes to a terminal.
    pub stderr: Option<OwnedFd>,
    /// To type into, where the program has one.
    pub terminal: Option<OwnedFd>,
}

/// Starts the program in a session of its own.
pub fn spawn(command: &Command) -> Result<Process, Failure> {
    let Some((program, arguments)) = command.argv.split_first() else {
        return Err(failure("argv is empty: it names no program"));
    };
    let mut ready = process::Command::new(program);
    ready.args(arguments).env("PATH", PATH).envs(&command.env);
    let start = |ready| {
        let child = gate::start(ready, command.terminal.is_some(), |pid| set_up(pid, command));
        child.map_err(|failure| explain(program, failure))
    };
    match command.terminal {
        Some(size) => in_terminal(ready, size, start),
        None => in_pipes(ready, stdin(command)?, start),
    }
}

fn in_pipes(
    mut ready: process::Command,
    stdin: Stdio,
    start: impl FnOnce(process::Command) -> Result<Child, Failure>,
) -> Result<Process, Failure> {
    ready.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = start(ready)?;
    let pid = child.id();
    match (child.stdout, child.stderr) {
        (Some(stdout), Some(stderr)) => Ok(Process {
            pid,
            stdout: nonblocking(stdout.into())?,
            stderr: Some(nonblocking(stderr.into())?),
            terminal: None,
        }),
        _ => Err(failure("its output is not piped")),
    }
}

fn in_terminal(
    mut ready: process::Command,
    size: TerminalSize,
    start: impl FnOnce(process::Command) -> Result<Child, Failure>,
) -> Result<Process, Failure> {
    let (ours, theirs) = terminal::open(size)?;
    let copy = || theirs.try_clone().context(|| "cannot hand a terminal over".to_owned());
    ready.stdin(copy()?).stdout(copy()?).stderr(copy()?);
    let keys = ours.try_clone().context(|| "cannot type into a terminal".to_owned())?;
    let child = start(ready)?;
    Ok(Process { pid: child.id(), stdout: ours, stderr: None, terminal: Some(keys) })
}

fn set_up(pid: u32, command: &Command) -> Result<(), Failure> {
    let score = command.oom_score_adj;
    fs::write(format!("/proc/{pid}/oom_score_adj"), score.to_string())
        .context(|| format!("cannot set its oom_score_adj to {score}"))?;
    command.sched.as_ref().map_or(Ok(()), |wanted| sched::apply(pid, wanted))
}

/// Input is a file in memory: whatever its size, nobody has to feed it.
fn stdin(command: &Command) -> Result<Stdio, Failure> {
    let Some(data) = &command.stdin else {
        return Ok(Stdio::null());
    };
    let fill = || {
        let mut file = File::from(memfd_create("stdin", MemfdFlags::CLOEXEC)?);
        file.write_all(data.as_bytes())?;
        file.rewind()?;
        Ok::<_, std::io::Error>(file)
    };
    fill().map(Stdio::from).context(|| "cannot keep its input".to_owned())
}

/// Only the agent's end: blocking is a property of each end of a pipe.
fn nonblocking(end: OwnedFd) -> Result<OwnedFd, Failure> {
    fcntl_setfl(&end, OFlags::NONBLOCK).context(|| "cannot read its output".to_owned())?;
    Ok(end)
}

fn explain(program: &str, failure: Failure) -> Failure {
    let hint = if failure.errno == Some(libc::ENOENT) {
        " (it, its interpreter or its loader is not in the guest)"
    } else {
        ""
    };
    Failure { message: format!("{program}: {}{hint}", failure.message), ..failure }
}
