//! Starts QEMU: to boot a kernel, or to go on where a saved machine was.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use super::boards::prepare_device_tree;
use super::command::{Inherited, Paths, Ram, arguments};
use super::error::set_up;
use super::files::Files;
use super::process::Launch;
use super::qmp;
use super::streams::{LastRegisters, Readers, Remains, listen, read_all};
use super::{Accel, Qemu, QemuError};
use crate::disk::{MOST_CHANGED, zeros};
use crate::{Config, Content, Disk, Event, GuestRam, Saved};

/// Events that may wait for the harness; past that the guest's output waits too.
const BACKLOG: usize = 1024;

/// Boots `config` in the QEMU program `program`.
///
/// # Errors
/// Any [`QemuError`]; nothing of a failed start is left running.
pub fn boot(
    program: &Path,
    accel: Accel,
    config: &Config,
) -> Result<(Qemu, Receiver<Event>), QemuError> {
    let ram = Arc::new(GuestRam::new(config.memory)?);
    let file = set_up("guest RAM", ram.try_clone_file())?;
    let start = Start { program, accel, config, ram, file, is_copy: false };
    start.run(|machine, _| machine.go_on_unless(config.paused))
}

/// Starts a copy of the machine in `saved`, which was booted from `config` by the same `program`.
/// The copy has its own directory, and its changes to RAM are its own.
///
/// # Errors
/// Any [`QemuError`]; nothing of a failed start is left running.
pub fn fork(
    program: &Path,
    accel: Accel,
    config: &Config,
    saved: &Saved,
) -> Result<(Qemu, Receiver<Event>), QemuError> {
    // A position of its own for each copy that reads it.
    let state = set_up("saved state", reopen(&saved.state))?;
    let file = set_up("saved RAM", saved.memory.try_clone())?;
    let length = set_up("saved RAM", file.metadata())?.len();
    if length != config.memory {
        return Err(QemuError::ForeignRam { expected: config.memory, length });
    }
    let ram = Arc::new(GuestRam::awaited(config.memory));
    let start = Start { program, accel, config, ram, file, is_copy: true };
    start.run(|machine, file| {
        machine.qmp.load(&state)?;
        machine.ram.found_in(machine.process.pid, file).map_err(io::Error::other)?;
        machine.go_on_unless(config.paused)
    })
}

struct Start<'a> {
    program: &'a Path,
    accel: Accel,
    config: &'a Config,
    ram: Arc<GuestRam>,
    /// The file of guest RAM.
    file: File,
    /// Whether changes to the file are the machine's own.
    is_copy: bool,
}

impl Start<'_> {
    fn run(
        self,
        set_going: impl FnOnce(&mut Qemu, &File) -> io::Result<()>,
    ) -> Result<(Qemu, Receiver<Event>), QemuError> {
        let (console, console_far) = pair("console")?;
        let (control, control_far) = pair("control channel")?;
        let (monitor, monitor_far) = pair("monitor")?;
        let files = Files::in_dir(&self.config.dir);
        // A copy has unpacked it already.
        let initramfs = match self.is_copy {
            true => None,
            false => files.join_initramfs(&self.config.initramfs)?,
        };
        let ram_fd = set_up("guest RAM", self.file.try_clone().map(OwnedFd::from))?;
        let ram = if self.is_copy { Ram::Copied } else { Ram::Shared };
        let disks = self.disks()?;
        let fds = Inherited {
            qmp: monitor_far.as_fd(),
            console: console_far.as_fd(),
            control: control_far.as_fd(),
            ram: ram(ram_fd.as_fd()),
            disks: disks.iter().map(AsFd::as_fd).collect(),
        };
        let tree = self.config.device_tree.as_deref();
        let device_tree = prepare_device_tree(self.config.model, tree, &self.config.dir)?;
        let paths = Paths {
            initramfs: initramfs.as_deref(),
            device_tree: device_tree.as_deref(),
            reset_log: &files.reset_log,
        };
        let args = arguments(self.config, &paths, self.accel, &fds);
        let stderr = set_up("log", File::create(&files.stderr))?;

        let (events, receiver) = sync_channel(BACKLOG);
        let (client, listener) = set_up("monitor", qmp::connect(monitor))?;
        let last = LastRegisters::default();
        let remains = Remains {
            cpus: self.config.cpus,
            registers: Arc::clone(&last),
            ram: Arc::clone(&self.ram),
        };
        let far = [console_far.into(), control_far.into(), monitor_far.into(), ram_fd];
        let inherit = far.into_iter().chain(disks).collect();
        let control_in = set_up("control channel", control.try_clone())?;
        let readers = Readers {
            console: set_up("console", read_all(console, events.clone(), Event::Console))?,
            control: set_up(
                "control channel",
                read_all(control_in, events.clone(), Event::Control),
            )?,
            monitor: set_up("monitor", listen(listener, events.clone(), remains))?,
        };
        let program = self.program.to_owned();
        let longest_file = longest_file(&self.config.disks);
        let launch = Launch { program, args, inherit, stderr, longest_file, files: files.clone() };
        let process = launch.start(readers, events)?;
        let mut machine = Qemu {
            accel: self.accel,
            model: self.config.model,
            has_disks: !self.config.disks.is_empty(),
            ram: self.ram,
            control,
            qmp: client,
            process,
            last,
        };
        let going = machine.qmp.negotiate().and_then(|()| set_going(&mut machine, &self.file));
        match going {
            Ok(()) => Ok((machine, receiver)),
            Err(error) => {
                drop(machine);
                let reason = files.complaint().unwrap_or_else(|| error.to_string());
                Err(QemuError::Handshake { reason })
            }
        }
    }
}

impl Start<'_> {
    /// A file for each disk.
    fn disks(&self) -> Result<Vec<OwnedFd>, QemuError> {
        let Config { model, disks, .. } = self.config;
        if !disks.is_empty() && !model.takes_disks() {
            return Err(QemuError::Disks { model: *model });
        }
        let open = |disk: &Disk| match disk.content.open()? {
            (Some(image), _) => Ok(image.into()),
            (None, size) => Ok(zeros(size)?),
        };
        disks.iter().map(open).collect()
    }
}

/// A guest's changes to an image are bounded as on our own machine; those to a blank disk by its size.
fn longest_file(disks: &[Disk]) -> u64 {
    let blank = disks.iter().map(|disk| match disk.content {
        Content::Blank(size) => size,
        Content::Image(_) => 0,
    });
    blank.max().unwrap_or(0).max(MOST_CHANGED)
}

fn reopen(file: &File) -> io::Result<File> {
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

fn pair(what: &'static str) -> Result<(UnixStream, UnixStream), QemuError> {
    set_up(what, UnixStream::pair())
}
