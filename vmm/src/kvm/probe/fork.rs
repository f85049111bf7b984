//! A child process that can be killed whatever it is stuck in.

use std::io;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{self, Pid, Resource, Rlimit, Signal, WaitOptions};

/// CPU seconds after which the kernel ends a child that its parent could not.
const CPU_SECONDS: u64 = 10;

/// How long a killed child may take to go before a thread waits for it instead of the caller.
const REAP_PATIENCE: Duration = Duration::from_millis(200);

/// A forked process; killed and reaped on drop.
pub(super) struct Child {
    pid: Pid,
}

impl Child {
    /// Forks, and runs `body` in the child only. It must not allocate, take locks or panic: only the
    /// calling thread lives on in the child, and another may have held the allocator's lock.
    pub(super) fn start(body: impl FnOnce()) -> io::Result<Self> {
        let parent = process::getpid();
        // SAFETY: until it exits, the child calls only `body`, which by its contract allocates
        // nothing and takes no lock, and system calls.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => live_and_exit(parent, body),
            pid => Pid::from_raw(pid).map(|pid| Self { pid }).ok_or_else(|| Errno::SRCH.into()),
        }
    }

    fn gone(&self) -> bool {
        // An error means that somebody else has reaped it.
        !matches!(process::waitpid(Some(self.pid), WaitOptions::NOHANG), Ok(None))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It fails only when the child is gone.
        let _ = process::kill_process(self.pid, Signal::KILL);
        let deadline = Instant::now() + REAP_PATIENCE;
        while !self.gone() {
            if Instant::now() > deadline {
                let pid = self.pid;
                std::thread::spawn(move || process::waitpid(Some(pid), WaitOptions::empty()));
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The life of the child: it must never return into the code of its parent, not by a panic either.
fn live_and_exit(parent: Pid, body: impl FnOnce()) -> ! {
    struct ExitOnUnwind;
    impl Drop for ExitOnUnwind {
        fn drop(&mut self) {
            exit_at_once();
        }
    }
    let _guard = ExitOnUnwind;
    // Two safety nets, for a parent that dies before it can kill.
    let _ = process::set_parent_process_death_signal(Some(Signal::KILL));
    let limit = Rlimit { current: Some(CPU_SECONDS), maximum: Some(CPU_SECONDS) };
    let _ = process::setrlimit(Resource::Cpu, limit);
    if process::getppid() == Some(parent) {
        body();
    }
    exit_at_once()
}

fn exit_at_once() -> ! {
    // SAFETY: ends the process without running any code of the parent's, such as `atexit` handlers.
    unsafe { libc::_exit(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_hangs_is_killed_and_reaped() {
        let child = Child::start(|| std::thread::sleep(Duration::from_secs(60))).unwrap();
        let pid = child.pid;
        let start = Instant::now();
        drop(child);
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!(process::test_kill_process(pid), Err(Errno::SRCH));
    }
}
