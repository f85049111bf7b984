//! A guest that runs a small program, with bounds on everything.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use vmm::kvm::{self, KvmMachine, Probe};
use vmm::{Config, Event, Machine, Stop};

use crate::elf;

/// More than anything here takes, also on a host under load that emulates every instruction.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A guest.
pub struct Guest {
    pub machine: KvmMachine,
    pub events: Receiver<Event>,
    _dir: tempfile::TempDir,
}

/// What a guest said until it stopped.
#[derive(Debug, Default)]
pub struct Outcome {
    pub console: Vec<u8>,
    pub panicked: bool,
    pub stop: Option<Stop>,
}

impl Guest {
    /// Boots `code` with `data`, on two processors; none where the host has no KVM at all.
    pub fn boot(code: &[u8], data: &[u8]) -> Option<Self> {
        Self::boot_image(&elf::image(code, data, false))
    }

    /// Boots an image.
    pub fn boot_image(image: &[u8]) -> Option<Self> {
        if let Probe::None { reason } = kvm::probe() {
            eprintln!("SKIPPED: {reason}");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let config = Config {
            kernel: elf::write(&dir, image),
            initramfs: Vec::new(),
            cmdline: String::new(),
            cpus: 2,
            memory: 64 << 20,
            dir: dir.path().into(),
        };
        let (machine, events) = kvm::boot(&config).unwrap();
        Some(Self { machine, events, _dir: dir })
    }

    /// Collects what it says until it stops.
    pub fn finish(&self) -> Outcome {
        let mut outcome = Outcome::default();
        let deadline = Instant::now() + PATIENCE;
        while outcome.stop.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left).expect("the guest stops in time") {
                Event::Console(bytes) => outcome.console.extend(bytes),
                Event::Panicked => outcome.panicked = true,
                Event::Stopped(stop) => outcome.stop = Some(stop),
                Event::Control(_) | Event::ControlClosed => {}
            }
        }
        outcome
    }

    /// The value of register `name` of the first processor.
    pub fn register(&mut self, name: &str) -> u64 {
        let registers = self.machine.registers(0).unwrap();
        registers.iter().find(|(known, _)| *known == name).unwrap().1
    }

    /// Eight bytes of its RAM, below the hole.
    pub fn word(&self, address: u64) -> u64 {
        let mut bytes = [0; 8];
        self.machine.ram().read(address, &mut bytes).unwrap();
        u64::from_le_bytes(bytes)
    }
}
