//! Which machine runs the guests, and why.

use std::path::PathBuf;
use std::sync::mpsc::Receiver;

use vmm::kvm::Probe;
use vmm::qemu::{Accel, QemuError};
use vmm::{Config, Event, Machine};

use crate::scenario::model::Backend;

/// QEMU's program for x86-64 guests, unless `KHARNESS_QEMU` names one.
const QEMU: &str = "qemu-system-x86_64";

/// What boots guests.
#[derive(Debug, Clone)]
pub struct Engine {
    program: PathBuf,
    accel: Accel,
    /// Why it was chosen, in words.
    pub reason: String,
}

/// Why no guest can be booted.
#[derive(Debug, thiserror::Error)]
pub enum NoEngine {
    /// The backend that was asked for does not work here.
    #[error("backend kvm: {0}; `--backend auto` takes what works")]
    Kvm(String),
    /// QEMU is not there.
    #[error(transparent)]
    Qemu(#[from] QemuError),
}

impl Engine {
    /// The engine for `wanted`. KVM is believed in only when a guest proved that it works.
    ///
    /// # Errors
    /// When what is wanted does not work on this host.
    pub fn choose(wanted: Backend, device: &std::path::Path) -> Result<Self, NoEngine> {
        let probe = vmm::kvm::probe_device(device);
        let accel = match (&probe, wanted) {
            (Probe::Full, _) => Accel::Kvm,
            (_, Backend::Kvm) => return Err(NoEngine::Kvm(probe.to_string())),
            (_, Backend::Auto | Backend::Qemu) => Accel::Tcg,
        };
        let reason = match accel {
            Accel::Kvm => probe.to_string(),
            Accel::Tcg => format!("emulation, because {probe}"),
        };
        Ok(Self { program: find_qemu()?, accel, reason })
    }

    /// The backend that its machines are.
    pub fn backend(&self) -> vmm::Backend {
        self.accel.backend()
    }

    /// Boots a machine.
    ///
    /// # Errors
    /// When the host or QEMU refuses.
    pub fn boot(&self, config: &Config) -> Result<(Box<dyn Machine>, Receiver<Event>), QemuError> {
        let (machine, events) = vmm::qemu::boot(&self.program, self.accel, config)?;
        Ok((Box::new(machine), events))
    }
}

fn find_qemu() -> Result<PathBuf, QemuError> {
    let program = std::env::var("KHARNESS_QEMU").unwrap_or_else(|_| QEMU.to_owned());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = std::env::split_paths(&path).map(|dir| dir.join(&program));
    // An absolute program replaces the directory that it is joined to.
    candidates
        .into_iter()
        .find(|candidate| candidate.is_file())
        .ok_or(QemuError::Missing { program })
}
