//! A guest that runs a small program, with bounds on everything.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use vmm::kvm::{self, KvmError, KvmMachine, Probe};
use vmm::{Config, Disk, Event, Machine, Saved, Stop};

use crate::elf;

/// More than anything here takes, also on a host under load that emulates every instruction.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A guest.
pub struct Guest {
    pub machine: KvmMachine,
    pub events: Receiver<Event>,
    config: Config,
    dir: Arc<tempfile::TempDir>,
}

/// A saved guest.
pub struct Template {
    pub saved: Saved,
    pub config: Config,
    dir: Arc<tempfile::TempDir>,
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
        Self::start(image, false)
    }

    /// Boots an image that is to wait before its first instruction.
    pub fn paused(image: &[u8]) -> Option<Self> {
        Self::start(image, true)
    }

    /// Boots an image with disks.
    pub fn with_disks(image: &[u8], disks: Vec<Disk>) -> Option<Self> {
        Self::start_with(image, |config| config.disks = disks)
    }

    /// What is wrong with such a machine.
    pub fn fails_with_disks(image: &[u8], disks: Vec<Disk>) -> String {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { disks, ..config(&dir, image) };
        kvm::boot(&config).unwrap_err().to_string()
    }

    fn start(image: &[u8], paused: bool) -> Option<Self> {
        Self::start_with(image, |config| config.paused = paused)
    }

    fn start_with(image: &[u8], change: impl FnOnce(&mut Config)) -> Option<Self> {
        if let Probe::None { reason } = kvm::probe() {
            eprintln!("SKIPPED: {reason}");
            return None;
        }
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let mut config = config(&dir, image);
        change(&mut config);
        let (machine, events) = kvm::boot(&config).unwrap();
        Some(Self { machine, events, config, dir })
    }

    /// Pauses and saves it; it is gone then.
    pub fn save(mut self) -> Template {
        self.machine.pause().unwrap();
        let saved = self.machine.save().unwrap();
        self.into_template(saved)
    }

    /// The same, with every processor where it is to wait.
    fn at_rest(mut self) -> Self {
        self.machine.pause().unwrap();
        self
    }

    /// What it says on the console first; there is such a thing.
    pub fn first_words(&self) -> Vec<u8> {
        match self.events.recv_timeout(PATIENCE) {
            Ok(Event::Console(bytes)) => bytes,
            other => panic!("{other:?}"),
        }
    }

    /// What it was `saved` as.
    pub fn into_template(self, saved: Saved) -> Template {
        Template { saved, config: self.config, dir: self.dir }
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

    /// Writes eight bytes of its RAM, as the harness does.
    pub fn set_word(&self, address: u64, value: u64) {
        self.machine.ram().write(address, &value.to_le_bytes()).unwrap();
    }

    /// All of its RAM.
    pub fn all_memory(&self) -> Vec<u8> {
        let ram = self.machine.ram();
        let mut bytes = vec![0; usize::try_from(ram.size()).unwrap()];
        ram.read(0, &mut bytes).unwrap();
        bytes
    }

    /// A path of its own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Waits until `condition` holds.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(Instant::now() < deadline, "in time: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
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

impl Template {
    /// The same machine, saved elsewhere.
    pub fn with(self, saved: Saved) -> Self {
        Self { saved, ..self }
    }

    /// A copy that runs.
    pub fn fork(&self) -> Guest {
        self.start(kvm::fork, false).unwrap()
    }

    /// A copy that waits to be resumed.
    pub fn fork_paused(&self) -> Guest {
        self.start(kvm::fork, true).unwrap().at_rest()
    }

    /// A copy that waits, and can be put back.
    pub fn fork_to_reset(&self) -> Guest {
        self.start(kvm::fork_to_reset, true).unwrap().at_rest()
    }

    /// Why there is no copy.
    pub fn refusal(&self) -> String {
        match self.start(kvm::fork, true) {
            Ok(_) => panic!("it is not refused"),
            Err(error) => error.to_string(),
        }
    }

    fn start(
        &self,
        fork: impl Fn(&Config, &Saved) -> Result<(KvmMachine, Receiver<Event>), KvmError>,
        paused: bool,
    ) -> Result<Guest, KvmError> {
        let config = Config { paused, ..self.config.clone() };
        let (machine, events) = fork(&config, &self.saved)?;
        Ok(Guest { machine, events, config, dir: Arc::clone(&self.dir) })
    }
}

fn config(dir: &tempfile::TempDir, image: &[u8]) -> Config {
    Config {
        model: vmm::Model::Pc,
        device_tree: None,
        kernel: elf::write(dir, image),
        initramfs: Vec::new(),
        cmdline: String::new(),
        cpus: 2,
        memory: 64 << 20,
        disks: Vec::new(),
        nested: false,
        paused: false,
        dir: dir.path().into(),
    }
}
