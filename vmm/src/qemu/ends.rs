//! The two ends of the console and of the control channel: QEMU's and the harness's.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

use rustix::fs::{MemfdFlags, memfd_create};

use super::command::Far;
use super::execution::Execution;
use super::lines::{ControlFiles, Paced, UnderWay, follow};
use super::machine::Near;
use super::streams::read_all;
use crate::Event;

/// Both ends, before QEMU has its own.
pub(super) struct Ends {
    pub far: FarEnds,
    pub near: Near,
    pub console: Source,
    pub control: Source,
}

/// QEMU's ends.
pub(super) enum FarEnds {
    Sockets { console: UnixStream, control: UnixStream },
    Files { console: File, control: ControlFiles },
}

/// Where what the guest sends comes from.
pub(super) enum Source {
    Socket(UnixStream),
    File(File, Option<Arc<UnderWay>>),
}

impl Ends {
    /// Makes them for a machine with its files in `dir`.
    pub fn make(execution: Execution<'_>, dir: &Path) -> io::Result<Self> {
        match execution {
            Execution::Free => Self::sockets(),
            Execution::Recorded(recording) => {
                let mut options = OpenOptions::new();
                options.read(true).write(true).create(true).truncate(true);
                Self::files(options.open(&recording.console)?, dir, true)
            }
            Execution::Replayed(_) => {
                let console = memfd_create("kharness-console", MemfdFlags::CLOEXEC)?;
                Self::files(console.into(), dir, false)
            }
        }
    }

    fn sockets() -> io::Result<Self> {
        let (console, console_far) = UnixStream::pair()?;
        let (control, control_far) = UnixStream::pair()?;
        Ok(Self {
            near: Near::Socket(control.try_clone()?),
            console: Source::Socket(console),
            control: Source::Socket(control),
            far: FarEnds::Sockets { console: console_far, control: control_far },
        })
    }

    fn files(console: File, dir: &Path, is_sent: bool) -> io::Result<Self> {
        let files = ControlFiles::create(dir)?;
        let (out, control) = files.open()?;
        let under_way = Arc::<UnderWay>::default();
        let near = match is_sent {
            true => Near::Serial(Paced { out, under_way: Arc::clone(&under_way) }),
            false => Near::Recorded,
        };
        Ok(Self {
            near,
            console: Source::File(console.try_clone()?, None),
            control: Source::File(control, Some(under_way)),
            far: FarEnds::Files { console, control: files },
        })
    }
}

impl FarEnds {
    /// How QEMU is told of them.
    pub fn named(&self) -> Far<'_> {
        match self {
            Self::Sockets { console, control } => {
                Far::Sockets { console: console.as_fd(), control: control.as_fd() }
            }
            Self::Files { console, control } => {
                Far::Files { console: console.as_fd(), control: control.base() }
            }
        }
    }

    /// What QEMU inherits, and what may go when it has opened all that has a name.
    pub fn split(self) -> (Vec<OwnedFd>, Option<ControlFiles>) {
        match self {
            Self::Sockets { console, control } => (vec![console.into(), control.into()], None),
            Self::Files { console, control } => (vec![console.into()], Some(control)),
        }
    }
}

impl Source {
    /// Passes on what comes, until QEMU has ended.
    pub fn read(
        self,
        ended: &Arc<AtomicBool>,
        events: SyncSender<Event>,
        wrap: fn(Vec<u8>) -> Event,
    ) -> io::Result<JoinHandle<()>> {
        match self {
            Self::Socket(stream) => read_all(stream, events, wrap),
            Self::File(file, under_way) => follow(file, Arc::clone(ended), events, wrap, under_way),
        }
    }
}
