//! The QEMU process and the thread that starts it and waits for its end.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, channel};
use std::thread;

use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::error::set_up;
use super::files::Files;
use super::streams::Readers;
use super::{QemuError, child};
use crate::Event;

/// The child, by a handle that can never name another process.
pub(super) struct Process {
    /// Process id; another process may have it after the end.
    pub pid: u32,
    pidfd: OwnedFd,
    asked: Arc<AtomicBool>,
}

impl Process {
    /// Notes that its end is asked for, and asks.
    pub fn ask<T>(&self, ask: impl FnOnce() -> T) -> T {
        self.asked.store(true, Ordering::SeqCst);
        ask()
    }

    /// Ends it at once.
    pub fn kill(&self) {
        self.asked.store(true, Ordering::SeqCst);
        // Already gone is as good.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }
}

/// Everything needed to start the process.
pub(super) struct Launch {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// Descriptors that it inherits, under the same numbers.
    pub inherit: Vec<OwnedFd>,
    pub stderr: File,
    /// Bytes of the longest file that it may make.
    pub longest_file: u64,
    pub files: Files,
}

impl Launch {
    /// Starts QEMU on a thread that lives exactly as long as it does, as the death signal demands.
    pub fn start(self, readers: Readers, events: SyncSender<Event>) -> Result<Process, QemuError> {
        let program = self.program.display().to_string();
        let asked = Arc::new(AtomicBool::new(false));
        let (started, start) = channel();
        let keep = Arc::clone(&asked);
        let body = move || self.keep(readers, &events, &keep, |result| drop(started.send(result)));
        set_up("thread", thread::Builder::new().name("qemu".into()).spawn(body))?;
        let result = start.recv().unwrap_or_else(|_| Err(io::Error::other("the thread ended")));
        match result {
            Ok((pid, pidfd)) => Ok(Process { pid, pidfd, asked }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                Err(QemuError::Missing { program })
            }
            Err(source) => Err(QemuError::Start { program, source }),
        }
    }

    fn keep(
        self,
        readers: Readers,
        events: &SyncSender<Event>,
        asked: &AtomicBool,
        started: impl FnOnce(io::Result<(u32, OwnedFd)>),
    ) {
        let spawned =
            child::spawn(&self.program, &self.args, &self.inherit, self.stderr, self.longest_file)
                .and_then(|child| Ok((handle(&child)?, child)));
        // The far ends now belong to QEMU alone, so that its end closes the streams.
        drop(self.inherit);
        match spawned {
            Err(error) => started(Err(error)),
            Ok((pidfd, mut child)) => {
                started(Ok((child.id(), pidfd)));
                let status = child.wait();
                let told = readers.finish();
                let stop = self.files.judge(asked.load(Ordering::SeqCst), told, status);
                // Nobody listens any more: the machine was dropped.
                let _ = events.send(Event::Stopped(stop));
            }
        }
    }
}

fn handle(child: &Child) -> io::Result<OwnedFd> {
    let pid = rustix::process::Pid::from_child(child);
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}
