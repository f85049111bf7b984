//! QEMU's command line.

use std::ffi::OsString;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

use super::boards::{Board, Control, board};
use super::execution::{Execution, escaped};
use super::{Accel, tsc};
use crate::{CONTROL_PORT, Config, Content, Disk};

/// Descriptors that QEMU inherits.
pub(super) struct Inherited<'a> {
    pub qmp: BorrowedFd<'a>,
    /// Where the console and the control channel lead.
    pub streams: Far<'a>,
    pub ram: Ram<'a>,
    /// A file for each disk.
    pub disks: Vec<BorrowedFd<'a>>,
}

/// The far ends of the console and of the control channel.
pub(super) enum Far<'a> {
    /// Sockets.
    Sockets { console: BorrowedFd<'a>, control: BorrowedFd<'a> },
    /// A file, and a pair of files that [`ControlFiles`] made.
    Files { console: BorrowedFd<'a>, control: &'a Path },
}

/// Where guest RAM comes from.
#[derive(Clone, Copy)]
pub(super) enum Ram<'a> {
    /// A file that the harness shares.
    Shared(BorrowedFd<'a>),
    /// A template's, copied on write; the rest of the machine follows through the monitor.
    Copied(BorrowedFd<'a>),
}

/// Files that QEMU reads or writes by their paths.
pub(super) struct Paths<'a> {
    pub initramfs: Option<&'a Path>,
    pub device_tree: Option<&'a Path>,
    pub reset_log: &'a Path,
}

/// Arguments for a machine that boots `config` when told to go on, or awaits the state of one that
/// did.
pub(super) fn arguments(
    config: &Config,
    paths: &Paths<'_>,
    accel: Accel,
    execution: Execution<'_>,
    fds: &Inherited<'_>,
) -> Vec<OsString> {
    let board = board(config.model, accel, config.nested, execution);
    let mut line = Line::default();
    line.words("-nodefaults -no-user-config -display none -no-reboot -S")
        // The registers of a guest that ended tell what it was at; then QEMU is told to go.
        .option("-action", "shutdown=pause,panic=none")
        // Without a description for people behind it, a saved state that was cut anywhere does not load.
        .option("-machine", format!("{},memory-backend=ram,suppress-vmdesc=on", board.machine))
        .option("-accel", accel.argument(execution))
        .option("-smp", config.cpus.to_string())
        .option("-m", format!("{}B", config.memory))
        .option("-object", ram(config.memory, &fds.ram))
        .option("-chardev", socket("qmp", fds.qmp))
        .option("-mon", "chardev=qmp,mode=control")
        .option("-chardev", fds.streams.console())
        .option("-serial", "chardev:console")
        .option("-chardev", fds.streams.control())
        .option("-kernel", &config.kernel)
        .option("-append", command_line(config));
    if let Some(icount) = execution.icount() {
        line.option("-icount", icount);
    }
    plug_in(&mut line, &board, paths);
    plug_in_disks(&mut line, &config.disks, &fds.disks);
    if let Ram::Copied(_) = fds.ram {
        line.option("-incoming", "defer");
    }
    if let Some(path) = paths.initramfs {
        line.option("-initrd", path);
    }
    line.0
}

/// What the board has of its own.
fn plug_in(line: &mut Line, board: &Board, paths: &Paths<'_>) {
    if let Some(cpu) = board.cpu {
        line.option("-cpu", cpu);
    }
    match board.control {
        Control::VirtioSerial => {
            line.option("-device", "virtio-serial-pci,max_ports=2");
            line.option("-device", format!("virtserialport,chardev=control,name={CONTROL_PORT}"));
        }
        Control::SecondUart => {
            line.option("-serial", "chardev:control");
        }
    }
    for device in board.devices {
        line.option("-device", device);
    }
    if board.logs_resets {
        line.option("-d", "cpu_reset").option("-D", paths.reset_log);
    }
    if let Some(path) = paths.device_tree {
        line.option("-dtb", path);
    }
}

/// A file is named by its descriptor, so that no comma in its name matters. What the guest changes of an image
/// goes to a file of QEMU's without a name, which grows to the size of the disk at most.
fn plug_in_disks(line: &mut Line, disks: &[Disk], fds: &[BorrowedFd<'_>]) {
    for (number, (disk, fd)) in disks.iter().zip(fds).enumerate() {
        let access = match (disk.readonly, &disk.content) {
            (true, _) => "readonly=on",
            (false, Content::Image(_)) => "snapshot=on",
            (false, Content::Blank(_)) => "readonly=off",
        };
        let file = format!("file=/proc/self/fd/{},file.locking=off", fd.as_raw_fd());
        line.option("-drive", format!("if=none,id=disk{number},format=raw,{file},{access}"));
        let name = format!("drive=disk{number},serial=kharness-disk{number}");
        line.option("-device", format!("virtio-blk-pci,{name}"));
    }
}

/// KVM in the guest believes that a guest of its own needs a scaled clock, which no emulated processor
/// has, when the guest measured its own clock wrongly; and in an emulator it often does. The clocks of
/// emulated processors are all the host's, so that they agree.
fn command_line(config: &Config) -> String {
    let measured = config.nested.then(tsc::frequency_khz).flatten();
    let clock = measured.map(|khz| format!(" tsc=reliable tsc_early_khz={khz}"));
    format!("{}{}", config.cmdline, clock.unwrap_or_default())
}

fn ram(size: u64, ram: &Ram<'_>) -> String {
    let (fd, share) = match ram {
        Ram::Shared(fd) => (fd.as_raw_fd(), "on"),
        Ram::Copied(fd) => (fd.as_raw_fd(), "off"),
    };
    format!("memory-backend-file,id=ram,size={size}B,mem-path=/proc/self/fd/{fd},share={share}")
}

fn socket(id: &str, fd: BorrowedFd<'_>) -> String {
    format!("socket,id={id},fd={}", fd.as_raw_fd())
}

impl Far<'_> {
    fn console(&self) -> OsString {
        match self {
            Self::Sockets { console, .. } => socket("console", *console).into(),
            Self::Files { console, .. } => {
                format!("file,id=console,path=/proc/self/fd/{}", console.as_raw_fd()).into()
            }
        }
    }

    fn control(&self) -> OsString {
        match self {
            Self::Sockets { control, .. } => socket("control", *control).into(),
            Self::Files { control, .. } => {
                let mut option = OsString::from("pipe,id=control,path=");
                option.push(escaped(control));
                option
            }
        }
    }
}

#[derive(Default)]
struct Line(Vec<OsString>);

impl Line {
    fn words(&mut self, words: &str) -> &mut Self {
        self.0.extend(words.split(' ').map(OsString::from));
        self
    }

    fn option(&mut self, name: &str, value: impl Into<OsString>) -> &mut Self {
        self.0.push(name.into());
        self.0.push(value.into());
        self
    }
}
