//! The contract between the harness and whatever runs the guest.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Disk, GuestRam, HoldCpus};

/// Name of the virtio-serial port that carries the control channel; the agent looks for it.
pub const CONTROL_PORT: &str = "kharness.control";

/// What the agent sends for each byte that it took from a serial line that carries the control channel.
pub const ACKNOWLEDGED: u8 = 0x06;

/// The machine as its guest sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Model {
    /// A PC: x86-64.
    #[default]
    Pc,
    /// QEMU's own board for Arm guests.
    Virt,
    /// Raspberry Pi 3B.
    Raspi3b,
    /// Raspberry Pi 4B.
    Raspi4b,
}

/// What a board has, for whoever cannot choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixed {
    /// Number of CPUs.
    pub cpus: u32,
    /// RAM in bytes.
    pub memory: u64,
}

impl Model {
    /// CPUs and RAM of a board that has them soldered on (QEMU's hw/arm/raspi.c and raspi4b.c).
    #[must_use]
    pub fn fixed(self) -> Option<Fixed> {
        match self {
            Self::Pc | Self::Virt => None,
            Self::Raspi3b => Some(Fixed { cpus: 4, memory: 1 << 30 }),
            Self::Raspi4b => Some(Fixed { cpus: 4, memory: 2 << 30 }),
        }
    }

    /// Whether disks can be connected to it.
    #[must_use]
    pub fn takes_disks(self) -> bool {
        matches!(self, Self::Pc | Self::Virt)
    }

    /// The device tree of its kernel, relative to where a kernel keeps them; none where QEMU or the
    /// firmware describes the machine.
    #[must_use]
    pub fn device_tree(self) -> Option<&'static str> {
        match self {
            Self::Pc | Self::Virt => None,
            Self::Raspi3b => Some("broadcom/bcm2837-rpi-3-b.dtb"),
            Self::Raspi4b => Some("broadcom/bcm2711-rpi-4-b.dtb"),
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pc => "pc",
            Self::Virt => "virt",
            Self::Raspi3b => "raspi3b",
            Self::Raspi4b => "raspi4b",
        })
    }
}

/// What to boot, and on what.
#[derive(Debug, Clone)]
pub struct Config {
    /// The machine.
    pub model: Model,
    /// The kernel's device tree for the machine, where that needs one ([`Model::device_tree`]).
    pub device_tree: Option<PathBuf>,
    /// Kernel image: a bzImage or an ELF vmlinux.
    pub kernel: PathBuf,
    /// Initramfs archives, concatenated in this order.
    pub initramfs: Vec<PathBuf>,
    /// Kernel command line, complete but for what only the backend can know.
    pub cmdline: String,
    /// Number of vCPUs.
    pub cpus: u32,
    /// Guest RAM in bytes.
    pub memory: u64,
    /// Disks, [`MOST_DISKS`](crate::MOST_DISKS) at most.
    pub disks: Vec<Disk>,
    /// The guest is to have a working KVM of its own. Only emulation gives it one.
    pub nested: bool,
    /// The guest executes nothing before [`Machine::resume`], booted or copied.
    pub paused: bool,
    /// An existing directory for what the machine leaves behind for people to read.
    pub dir: PathBuf,
}

/// What runs the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Our own machine on `/dev/kvm`.
    Kvm,
    /// QEMU with `-accel kvm`.
    QemuKvm,
    /// QEMU with `-accel tcg`: emulation.
    QemuTcg,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kvm => "kvm",
            Self::QemuKvm => "qemu-kvm",
            Self::QemuTcg => "qemu-tcg",
        })
    }
}

/// What a machine reports, in the order in which it happened on each stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Bytes of the guest's console.
    Console(Vec<u8>),
    /// Bytes of the control channel, from the agent.
    Control(Vec<u8>),
    /// The guest closed its end of the control channel.
    ControlClosed,
    /// The guest's kernel told the machine that it panicked (pvpanic).
    Panicked,
    /// The machine stopped, for good; always the last event.
    Stopped(Stop),
}

/// Why a machine stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The guest powered itself off.
    PowerOff,
    /// The guest asked for a reset.
    Reset,
    /// A triple fault.
    TripleFault,
    /// The harness asked for it.
    Asked,
    /// The machine itself failed: a fault of the host or the VMM, never of the kernel under test.
    Internal(String),
}

/// A saved machine, of which any number of copies can be started. The files may have no name: a
/// process that ends leaves nothing behind.
#[derive(Debug)]
pub struct Saved {
    /// RAM, as one sparse file; the machine that was saved must not run on.
    pub memory: File,
    /// CPUs and devices, in the words of the backend.
    pub state: File,
}

/// Registers of one vCPU: name to value, in the order in which people print them.
pub type Registers = Vec<(&'static str, u64)>;

/// A running guest. Dropping it ends the guest and everything that served it.
pub trait Machine: Send {
    /// What runs it.
    fn backend(&self) -> Backend;

    /// Guest RAM, valid as long as any clone of the `Arc` lives, also after the guest; but that of a copy
    /// that was switched off, or stopped by the harness, goes with it.
    fn ram(&self) -> Arc<GuestRam>;

    /// Whether the control channel is a serial line, on which stray bytes come when its driver starts.
    fn control_is_serial(&self) -> bool {
        false
    }

    /// Where RAM begins among guest-physical addresses.
    fn ram_base(&self) -> u64 {
        0
    }

    /// Sends bytes to the agent. Blocks while the channel is full.
    ///
    /// # Errors
    /// When the channel is gone.
    fn send_control(&mut self, bytes: &[u8]) -> std::io::Result<()>;

    /// Stops all vCPUs until [`Machine::resume`].
    ///
    /// # Errors
    /// When the machine does not answer.
    fn pause(&mut self) -> std::io::Result<()>;

    /// Lets all vCPUs run again.
    ///
    /// # Errors
    /// When the machine does not answer.
    fn resume(&mut self) -> std::io::Result<()>;

    /// Registers of vCPU `cpu` of a paused machine, or of one that ended by itself: those that it had
    /// at its end.
    ///
    /// # Errors
    /// When there is no such vCPU, or the machine does not answer.
    fn registers(&mut self, cpu: u32) -> std::io::Result<Registers>;

    /// Saves a paused machine, which is to be stopped then: its RAM is the copies' from now on.
    ///
    /// # Errors
    /// When the backend cannot save it.
    fn save(&mut self) -> std::io::Result<Saved>;

    /// What the machine counted of itself so far: name and value. None where the backend counts nothing.
    fn metrics(&self) -> Vec<(String, f64)> {
        Vec::new()
    }

    /// Serves gdb on a new Unix socket, for as long as the machine lives. gdb's connection stops the guest,
    /// and its leaving lets the guest run on.
    ///
    /// # Errors
    /// When the socket cannot be made, or the machine cannot be debugged.
    fn serve_gdb(&mut self, socket: &Path) -> std::io::Result<()>;

    /// What delays the guest's vCPUs against each other.
    ///
    /// # Errors
    /// When the machine cannot do that.
    fn holder(&mut self) -> std::io::Result<Box<dyn HoldCpus>>;

    /// Ends the guest at once; [`Event::Stopped`] follows. Stopping twice is fine.
    fn stop(&mut self);
}
