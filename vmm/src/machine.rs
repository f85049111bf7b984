//! The contract between the harness and whatever runs the guest.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::GuestRam;

/// Name of the virtio-serial port that carries the control channel; the agent looks for it.
pub const CONTROL_PORT: &str = "kharness.control";

/// What to boot, and on what.
#[derive(Debug, Clone)]
pub struct Config {
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

/// Registers of one vCPU: name to value, in the order in which people print them.
pub type Registers = Vec<(&'static str, u64)>;

/// A running guest. Dropping it ends the guest and everything that served it.
pub trait Machine: Send {
    /// What runs it.
    fn backend(&self) -> Backend;

    /// Guest RAM, mapped; valid as long as any clone of the `Arc` lives, also after the guest.
    fn ram(&self) -> Arc<GuestRam>;

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

    /// Registers of vCPU `cpu` of a paused machine.
    ///
    /// # Errors
    /// When there is no such vCPU, or the machine does not answer.
    fn registers(&mut self, cpu: u32) -> std::io::Result<Registers>;

    /// Ends the guest at once; [`Event::Stopped`] follows. Stopping twice is fine.
    fn stop(&mut self);
}
