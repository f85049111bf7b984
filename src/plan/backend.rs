//! Which machine runs the guests, and why.

use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use vmm::kvm::{KvmError, Probe};
use vmm::qemu::{Accel, QemuError, Recording};
use vmm::{Config, Event, Machine, Saved};

use super::emulator;
use crate::scenario::model::{Arch, Backend, Machine as Asked};

/// What boots guests.
#[derive(Debug, Clone)]
pub struct Engine {
    kind: Kind,
    /// Why it was chosen, in words.
    pub reason: String,
    /// What KVM can do here.
    probe: Probe,
    /// Whether it is for all machines, whatever they ask for.
    insists: bool,
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
    /// The engine for `wanted`, or for what each machine asks for where nothing is. KVM is believed in only
    /// when a guest proved that it works.
    ///
    /// # Errors
    /// When what is wanted does not work on this host.
    pub fn choose(wanted: Option<Backend>, device: &Path) -> Result<Self, NoEngine> {
        let probe = vmm::kvm::probe_device(device);
        let engine = Self::of(wanted.unwrap_or_default(), probe)?;
        Ok(Self { insists: wanted.is_some(), ..engine })
    }

    fn of(wanted: Backend, probe: Probe) -> Result<Self, NoEngine> {
        let kind = match (&probe, wanted) {
            (Probe::Full, Backend::Auto | Backend::Kvm) => Kind::Kvm,
            (Probe::Full, Backend::Qemu) => {
                Kind::Qemu { program: emulator::of_pcs()?, accel: Accel::Kvm }
            }
            (_, Backend::Kvm) => return Err(NoEngine::Kvm(probe.to_string())),
            (_, Backend::Auto | Backend::Qemu) => {
                Kind::Qemu { program: emulator::of_pcs()?, accel: Accel::Tcg }
            }
        };
        let reason = match kind {
            Kind::Qemu { accel: Accel::Tcg, .. } => format!("emulation, because {probe}"),
            _ => probe.to_string(),
        };
        Ok(Self { kind, reason, probe, insists: false })
    }

    /// The engine for a run of guests on `machines`. Where none of them is of this host's kind, what
    /// KVM can do does not matter.
    ///
    /// # Errors
    /// When what is wanted does not work on this host.
    pub fn for_run<'a>(
        wanted: Option<Backend>,
        device: &Path,
        machines: impl Iterator<Item = &'a Asked>,
    ) -> Result<Self, NoEngine> {
        let engine = Self::choose(wanted, device)?;
        let mut machines = machines.peekable();
        let first = machines.peek().copied();
        match first.filter(|_| machines.all(|machine| machine.arch != Arch::X86_64)) {
            Some(foreign) => engine.for_machine(foreign),
            None => Ok(engine),
        }
    }

    /// The engine for `machine`: what this is, unless the guest is to have a KVM of its own, is of
    /// another architecture, or asks for another backend.
    ///
    /// # Errors
    /// When that needs QEMU and there is none or one that is too old, or KVM and it does not work.
    pub fn for_machine(&self, machine: &Asked) -> Result<Self, NoEngine> {
        if machine.arch != Arch::X86_64 {
            return self.emulated(machine);
        }
        if machine.nested {
            let kind = Kind::Qemu { program: emulator::of_pcs()?, accel: Accel::Tcg };
            let reason = "emulation, because the guest has a KVM of its own".into();
            return Ok(Self { kind, reason, ..self.clone() });
        }
        match machine.backend {
            Backend::Auto => Ok(self.clone()),
            _ if self.insists => Ok(self.clone()),
            asked => Self::of(asked, self.probe.clone()),
        }
    }

    fn emulated(&self, machine: &Asked) -> Result<Self, NoEngine> {
        if machine.backend == Backend::Kvm {
            return Err(NoEngine::Kvm(format!("it runs no {} guests here", machine.arch)));
        }
        let program = emulator::find(machine.arch, machine.model())?;
        let kind = Kind::Qemu { program, accel: Accel::Tcg };
        let reason = format!("emulation, because the guest is {}", machine.arch);
        Ok(Self { kind, reason, ..self.clone() })
    }

    /// The QEMU that runs its machines, if one does.
    pub fn program(&self) -> Option<&Path> {
        match &self.kind {
            Kind::Kvm => None,
            Kind::Qemu { program, .. } => Some(program),
        }
    }

    /// The backend that its machines are.
    pub fn backend(&self) -> vmm::Backend {
        match self.kind {
            Kind::Kvm => vmm::Backend::Kvm,
            Kind::Qemu { accel, .. } => accel.backend(),
        }
    }

    /// Starts a copy of a saved machine that was booted from `config` here.
    ///
    /// # Errors
    /// When the host or the machine refuses.
    pub fn fork(
        &self,
        config: &Config,
        saved: &Saved,
    ) -> Result<(Box<dyn Machine>, Receiver<Event>), BootError> {
        match &self.kind {
            Kind::Kvm => {
                let (machine, events) = vmm::kvm::fork(config, saved)?;
                Ok((Box::new(machine), events))
            }
            Kind::Qemu { program, accel } => {
                let (machine, events) = vmm::qemu::fork(program, *accel, config, saved)?;
                Ok((Box::new(machine), events))
            }
        }
    }

    /// The engine that records what its machines do.
    ///
    /// # Errors
    /// When there is no QEMU.
    pub fn for_recording() -> Result<Self, NoEngine> {
        let kind = Kind::Qemu { program: emulator::of_pcs()?, accel: Accel::Tcg };
        let reason = "emulation, because only that can be recorded".to_owned();
        let probe = Probe::None { reason: "it was not tried".into() };
        Ok(Self { kind, reason, probe, insists: true })
    }

    /// Boots a machine and records what it does.
    ///
    /// # Errors
    /// When this is no engine for that, or the host refuses.
    pub fn record(
        &self,
        config: &Config,
        recording: &Recording,
    ) -> Result<(Box<dyn Machine>, Receiver<Event>), BootError> {
        match &self.kind {
            Kind::Qemu { program, accel: Accel::Tcg } => {
                let (machine, events) = vmm::qemu::record(program, config, recording)?;
                Ok((Box::new(machine), events))
            }
            _ => Err(QemuError::NotRecorded.into()),
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
