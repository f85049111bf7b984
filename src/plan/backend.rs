//! Which machine runs the guests, and why.

use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use vmm::kvm::{KvmError, Probe};
use vmm::qemu::{Accel, QemuError};
use vmm::{Config, Event, Machine};

use crate::scenario::model::Backend;

/// QEMU's program for x86-64 guests, unless `KHARNESS_QEMU` names one.
const QEMU: &str = "qemu-system-x86_64";

/// What boots guests.
#[derive(Debug, Clone)]
pub struct Engine {
    kind: Kind,
    /// Why it was chosen, in words.
    pub reason: String,
}

#[derive(Debug, Clone)]
enum Kind {
    Kvm,
    Qemu { program: PathBuf, accel: Accel },
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

/// Why a machine did not come up.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// On KVM.
    #[error(transparent)]
    Kvm(#[from] KvmError),
    /// In QEMU.
    #[error(transparent)]
    Qemu(#[from] QemuError),
}

impl Engine {
    /// The engine for `wanted`. KVM is believed in only when a guest proved that it works.
    ///
    /// # Errors
    /// When what is wanted does not work on this host.
    pub fn choose(wanted: Backend, device: &Path) -> Result<Self, NoEngine> {
        let probe = vmm::kvm::probe_device(device);
        let kind = match (&probe, wanted) {
            (Probe::Full, Backend::Auto | Backend::Kvm) => Kind::Kvm,
            (Probe::Full, Backend::Qemu) => Kind::Qemu { program: find_qemu()?, accel: Accel::Kvm },
            (_, Backend::Kvm) => return Err(NoEngine::Kvm(probe.to_string())),
            (_, Backend::Auto | Backend::Qemu) => {
                Kind::Qemu { program: find_qemu()?, accel: Accel::Tcg }
            }
        };
        let reason = match kind {
            Kind::Qemu { accel: Accel::Tcg, .. } => format!("emulation, because {probe}"),
            _ => probe.to_string(),
        };
        Ok(Self { kind, reason })
    }

    /// The backend that its machines are.
    pub fn backend(&self) -> vmm::Backend {
        match self.kind {
            Kind::Kvm => vmm::Backend::Kvm,
            Kind::Qemu { accel, .. } => accel.backend(),
        }
    }

    /// Boots a machine.
    ///
    /// # Errors
    /// When the host or the machine refuses.
    pub fn boot(&self, config: &Config) -> Result<(Box<dyn Machine>, Receiver<Event>), BootError> {
        match &self.kind {
            Kind::Kvm => {
                let (machine, events) = vmm::kvm::boot(config)?;
                Ok((Box::new(machine), events))
            }
            Kind::Qemu { program, accel } => {
                let (machine, events) = vmm::qemu::boot(program, *accel, config)?;
                Ok((Box::new(machine), events))
            }
        }
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
