//! Holds a new process between `fork` and `exec` until it is set up.
//!
//! The process is set up from outside, by code that may allocate and whose errors have words.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, id};
use std::thread::{ScopedJoinHandle, scope};

use agent_protocol::Failure;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::failure::{Context, failure};
use crate::{sys, threads};

const GO: u8 = 1;
const STOP: u8 = 0;

/// Starts `command` in a session of its own, whose terminal is its input if it `has_terminal`, and lets
/// it go once `set_up` has succeeded on its pid.
pub fn start(
    mut command: Command,
    has_terminal: bool,
    set_up: impl FnOnce(u32) -> Result<(), Failure> + Send,
) -> Result<Child, Failure> {
    let (hello, verdict) =
        install(&mut command, has_terminal).context(|| "no pipes left".to_owned())?;
    scope(|scope| {
        let thread = threads::start_scoped(scope, "gate", move || admit(&hello, &verdict, set_up))
            .context(|| "cannot start a thread".to_owned())?;
        let child = command.spawn();
        // The gate must see the end of its pipe if no process came to be.
        drop(command);
        judge(child, thread)
    })
}

/// Has the process say its pid and wait. Gives the other ends: to read the pid, to let it go.
fn install(command: &mut Command, has_terminal: bool) -> io::Result<(OwnedFd, OwnedFd)> {
    let (hello_out, hello_in) = pipe_with(PipeFlags::CLOEXEC)?;
    let (verdict_out, verdict_in) = pipe_with(PipeFlags::CLOEXEC)?;
    sys::before_exec(command, move || {
        rustix::process::setsid()?;
        if has_terminal {
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
        }
        rustix::io::write(&hello_in, &id().to_ne_bytes())?;
        let mut verdict = [STOP];
        rustix::io::read(&verdict_out, &mut verdict)?;
        if verdict == [GO] { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
    });
    Ok((hello_out, verdict_in))
}

fn admit(
    hello: &OwnedFd,
    verdict: &OwnedFd,
    set_up: impl FnOnce(u32) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut pid = [0; 4];
    let length = rustix::io::read(hello, &mut pid).unwrap_or(0);
    if length < pid.len() {
        return Ok(());
    }
    let result = set_up(u32::from_ne_bytes(pid));
    let word = if result.is_ok() { GO } else { STOP };
    // A process that was killed meanwhile is reported by whoever waits for it.
    let _ = rustix::io::write(verdict, &[word]);
    result
}

fn judge(
    child: io::Result<Child>,
    gate: ScopedJoinHandle<'_, Result<(), Failure>>,
) -> Result<Child, Failure> {
    gate.join().map_err(|_| failure("the gate of a new process failed"))??;
    child.context(|| "cannot start it".to_owned())
}
