//! Starts QEMU: to boot a kernel, or to go on where a saved machine was.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, sync_channel};

use super::boards::{Control, board, prepare_device_tree};
use super::command::{Inherited, Paths, Ram, arguments};
use super::ends::Ends;
use super::error::set_up;
use super::execution::Execution;
use super::files::Files;
use super::process::Launch;
use super::qmp;
use super::streams::{LastRegisters, Readers, Remains, listen};
use super::{Accel, Qemu, QemuError, Recording};
use crate::disk::{MOST_CHANGED, zeros};
use crate::{Config, Content, Disk, Event, GuestRam, Model, Saved};

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
    from_the_start(program, accel, config, Execution::Free)
}

/// Boots `config` as [`boot`] does, emulated, and records its execution.
///
/// # Errors
/// Any [`QemuError`]; nothing of a failed start is left running.
pub fn record(
    program: &Path,
    config: &Config,
    recording: &Recording,
) -> Result<(Qemu, Receiver<Event>), QemuError> {
    from_the_start(program, Accel::Tcg, config, Execution::Recorded(recording))
}

/// Does the execution in `recording` again, which was that of `config` in the same `program`. What the guest prints
/// comes as events, what it was sent is in the recording, and the machine stops where that one did.
///
/// # Errors
/// Any [`QemuError`]; nothing of a failed start is left running.
pub fn replay(
    program: &Path,
    config: &Config,
    recording: &Recording,
) -> Result<(Qemu, Receiver<Event>), QemuError> {
    from_the_start(program, Accel::Tcg, config, Execution::Replayed(recording))
}

fn from_the_start(
    program: &Path,
    accel: Accel,
    config: &Config,
    execution: Execution<'_>,
) -> Result<(Qemu, Receiver<Event>), QemuError> {
    let is_plain = config.model == Model::Pc && config.disks.is_empty() && !config.nested;
    if execution.recording().is_some() && (config.cpus != 1 || !is_plain) {
        return Err(QemuError::NotRecorded);
    }
    let ram = Arc::new(GuestRam::new(config.memory)?);
    let file = set_up("guest RAM", ram.try_clone_file())?;
    let start = Start { program, accel, config, execution, ram, file, is_copy: false };
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
    let execution = Execution::Free;
    let start = Start { program, accel, config, execution, ram, file, is_copy: true };
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
    execution: Execution<'a>,
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
        let Ends { far, near, console, control } =
            set_up("console and control channel", Ends::make(self.execution, &self.config.dir))?;
        let (monitor, monitor_far) = set_up("monitor", UnixStream::pair())?;
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
            streams: far.named(),
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
        let args = arguments(self.config, &paths, self.accel, self.execution, &fds);
        let stderr = set_up("log", File::create(&files.stderr))?;

        let (events, receiver) = sync_channel(BACKLOG);
        let (client, listener) = set_up("monitor", qmp::connect(monitor))?;
        let last = LastRegisters::default();
        let remains = Remains {
            cpus: self.config.cpus,
            registers: Arc::clone(&last),
            ram: Arc::clone(&self.ram),
        };
        let (far, control_files) = far.split();
        let inherit = far.into_iter().chain([monitor_far.into(), ram_fd]).chain(disks).collect();
        let ended = Arc::<AtomicBool>::default();
        let console = console.read(&ended, events.clone(), Event::Console);
        let control = control.read(&ended, events.clone(), Event::Control);
        let readers = Readers {
            console: set_up("console", console)?,
            control: set_up("control channel", control)?,
            monitor: set_up("monitor", listen(listener, events.clone(), remains))?,
            ended,
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
            control_is_serial: is_serial(self.config, self.accel, self.execution),
            is_recorded: matches!(self.execution, Execution::Recorded(_)),
            control: near,
            qmp: client,
            process,
            last,
        };
        let negotiated = machine.qmp.negotiate();
        // QEMU has opened them.
        drop(control_files);
        let going = negotiated.and_then(|()| set_going(&mut machine, &self.file));
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

fn is_serial(config: &Config, accel: Accel, execution: Execution<'_>) -> bool {
    board(config.model, accel, config.nested, execution).control == Control::SecondUart
}
