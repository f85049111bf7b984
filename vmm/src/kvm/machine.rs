//! A guest on KVM.

use std::io;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, TryLockError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use kvm_bindings::{CpuId, KVM_MAX_CPUID_ENTRIES};
use kvm_ioctls::{Kvm, VmFd};

use super::arch::cpuid::Place;
use super::boot::{self, Request};
use super::devices::{Devices, StatusPage, VIRTIO_DEVICES};
use super::error::KvmError;
use super::gdb::{Server, Stops};
use super::hold::Holder;
use super::jail::Jail;
use super::memory::{GuestMemory, RamRegion, regions};
use super::outbox::Outbox;
use super::shared::Shared;
use super::snapshot::{self, Origin};
use super::supervisor::supervise;
use super::vcpu::{self, Control, Counters, ExitKind, FirstRun, Processor};
use super::vm::{self, Bare};
use super::{closing, device};
use crate::disk::{NOT_WITH_DISKS, Store};
use crate::{
    Backend, Config, Disk, Event, GuestRam, HoldCpus, MOST_DISKS, Machine, Registers, Saved, Stop,
};

/// Events that may wait for the harness; past that the guest's output waits too.
const BACKLOG: usize = 256;

/// APIC ids have eight bits, and 255 is "all".
const MOST_CPUS: u8 = 254;

/// How long processors may take to pause.
const PAUSE_PATIENCE: Duration = Duration::from_secs(5);

/// How long threads may take to end after the machine was told to stop; longer than the supervisor waits.
const JOIN_PATIENCE: Duration = Duration::from_secs(4);

/// How often to look for room in the control channel.
const POLL: Duration = Duration::from_millis(1);

/// How often to look for the end of a thread, which takes some tenths of a millisecond.
const JOIN_POLL: Duration = Duration::from_micros(50);

/// A running guest.
#[derive(Debug)]
pub struct KvmMachine {
    // These three go to whoever closes machines.
    pub(super) shared: ManuallyDrop<Arc<Shared>>,
    pub(super) processors: ManuallyDrop<Vec<Arc<Mutex<Processor>>>>,
    pub(super) vm: ManuallyDrop<VmFd>,
    threads: Vec<JoinHandle<()>>,
    abandoned: Arc<AtomicBool>,
    debugger: Option<Server>,
    pub(super) origin: Origin,
}

/// Boots `config` on `/dev/kvm`.
///
/// # Errors
/// Any [`KvmError`]; nothing of a failed start is left running.
pub fn boot(config: &Config) -> Result<(KvmMachine, Receiver<Event>), KvmError> {
    let first_run = FirstRun::begin();
    let kvm = device::open(Path::new("/dev/kvm"))?;
    let cpus = check_cpus(&kvm, config.cpus)?;
    let disks = open_disks(&config.disks)?;
    let memory = GuestMemory::new(config.memory)?;
    let request = Request {
        kernel: &config.kernel,
        initramfs: &config.initramfs,
        command_line: &config.cmdline,
        cpus,
        virtio_devices: VIRTIO_DEVICES + u8::try_from(disks.len()).unwrap_or(u8::MAX),
    };
    let entry = boot::load(&request, &memory)?;
    entry.write_tables(memory.ram()).map_err(super::memory::MemoryError::from)?;

    let Bare { vm, page } = vm::create(&kvm, &memory, false)?;
    let processors = create_processors(&kvm, &vm, cpus)?;
    processors[0].enter(entry)?;
    let shared = share(&vm, &processors, memory, page, disks, first_run)?;
    if config.paused {
        shared.pause();
    }
    let origin = Origin::Booted { kernel: boot::build_id(&config.kernel) };
    start(vm, processors, shared, origin)
}

/// What the threads of a machine share.
pub(super) fn share(
    vm: &VmFd,
    processors: &[Processor],
    memory: GuestMemory,
    page: Option<StatusPage>,
    disks: Vec<Store>,
    first_run: FirstRun,
) -> Result<Shared, KvmError> {
    let cpus = u8::try_from(processors.len()).unwrap_or(MOST_CPUS);
    let outbox = Arc::new(Outbox::default());
    let devices = Devices::new(vm, processors[0].fd(), page, &memory, &outbox, disks)
        .map_err(|source| KvmError::Host { what: "set up the devices", source })?;
    let control = Control::new(cpus);
    let (counters, jail) = (Counters::default(), Jail::new()?);
    let debug_stops = Stops::default();
    let first_run = first_run.made();
    Ok(Shared { control, devices, memory, outbox, counters, first_run, jail, debug_stops })
}

fn open_disks(disks: &[Disk]) -> Result<Vec<Store>, KvmError> {
    if disks.len() > MOST_DISKS {
        return Err(KvmError::Disks(disks.len()));
    }
    disks.iter().map(|disk| Ok(Store::open(disk)?)).collect()
}

/// The number of processors that is asked for, if a machine can have as many.
pub(super) fn check_cpus(kvm: &Kvm, asked: u32) -> Result<u8, KvmError> {
    let most = u8::try_from(kvm.get_max_vcpus()).unwrap_or(u8::MAX).min(MOST_CPUS);
    u8::try_from(asked)
        .ok()
        .filter(|cpus| (1..=most).contains(cpus))
        .ok_or(KvmError::Cpus { asked, most })
}

/// The CPUID that KVM supports. It is always the same, and asking takes 0.2 ms.
pub(super) fn supported_cpuid(kvm: &Kvm) -> Result<&'static CpuId, KvmError> {
    static SUPPORTED: OnceLock<CpuId> = OnceLock::new();
    if let Some(known) = SUPPORTED.get() {
        return Ok(known);
    }
    let supported = kvm
        .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
        .map_err(vm::failed("ask KVM for the CPUID that it supports"))?;
    Ok(SUPPORTED.get_or_init(|| supported))
}

fn create_processors(kvm: &Kvm, vm: &VmFd, cpus: u8) -> Result<Vec<Processor>, KvmError> {
    let supported = supported_cpuid(kvm)?;
    (0..cpus).map(|cpu| Ok(Processor::new(vm, Place { cpu, cpus }, supported)?)).collect()
}

/// Starts the threads. If one does not start, the machine is dropped, and that ends the others.
pub(super) fn start(
    vm: VmFd,
    processors: Vec<Processor>,
    shared: Shared,
    origin: Origin,
) -> Result<(KvmMachine, Receiver<Event>), KvmError> {
    let (sender, receiver) = sync_channel(BACKLOG);
    let processors = processors.into_iter().map(|one| Arc::new(Mutex::new(one))).collect();
    let mut machine = KvmMachine {
        shared: ManuallyDrop::new(Arc::new(shared)),
        processors: ManuallyDrop::new(processors),
        vm: ManuallyDrop::new(vm),
        threads: Vec::new(),
        abandoned: Arc::default(),
        debugger: None,
        origin,
    };
    let (shared, abandoned) = (Arc::clone(&machine.shared), Arc::clone(&machine.abandoned));
    machine.spawn("events".into(), move || supervise(&shared, &sender, &abandoned))?;
    for (cpu, processor) in Vec::clone(&machine.processors).into_iter().enumerate() {
        let shared = Arc::clone(&machine.shared);
        machine.spawn(format!("vcpu{cpu}"), move || vcpu::live(&processor, &shared))?;
    }
    Ok((machine, receiver))
}

impl KvmMachine {
    /// How guest-physical memory and the RAM file relate.
    #[must_use]
    pub fn memory_map(&self) -> Vec<RamRegion> {
        regions(self.shared.memory.ram().size())
    }

    /// How often the guest came out to this program, by reason.
    #[must_use]
    pub fn exits(&self) -> Vec<(ExitKind, u64)> {
        self.shared.counters.all().to_vec()
    }

    /// Has KVM note which pages of RAM the guest writes, or stop noting it.
    ///
    /// # Errors
    /// When KVM refuses.
    pub fn note_writes(&self, on: bool) -> Result<(), KvmError> {
        vm::note_writes(&self.vm, &self.shared.memory, on)
    }

    /// Offsets in the RAM file of the pages that the guest wrote since this was asked last. What the
    /// machine's devices wrote for it is not among them.
    ///
    /// # Errors
    /// When nothing is noted, see [`KvmMachine::note_writes`].
    pub fn written_pages(&self) -> Result<Vec<u64>, KvmError> {
        Ok(vm::written_pages(&self.vm, &self.shared.memory)?.offsets().collect())
    }

    fn spawn(
        &mut self,
        name: String,
        body: impl FnOnce() + Send + 'static,
    ) -> Result<(), KvmError> {
        let thread = thread::Builder::new()
            .name(name)
            .spawn(body)
            .map_err(|source| KvmError::Host { what: "start a thread", source })?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Machine for KvmMachine {
    fn backend(&self) -> Backend {
        Backend::Kvm
    }

    fn ram(&self) -> Arc<GuestRam> {
        Arc::clone(self.shared.memory.ram())
    }

    fn send_control(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        loop {
            if self.shared.control.is_stopping() {
                return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the machine has stopped"));
            }
            rest = &rest[self.shared.devices.leave_for_agent(rest)..];
            if rest.is_empty() {
                return Ok(());
            }
            if self.shared.control.is_paused() {
                let words = "the control channel is full, and the machine is paused";
                return Err(io::Error::new(io::ErrorKind::WouldBlock, words));
            }
            thread::sleep(POLL);
        }
    }

    fn pause(&mut self) -> io::Result<()> {
        self.shared.pause();
        self.shared.control.settle(PAUSE_PATIENCE).map_err(|cpu| {
            let words = format!("vCPU {cpu} does not leave the guest");
            io::Error::new(io::ErrorKind::TimedOut, words)
        })
    }

    fn resume(&mut self) -> io::Result<()> {
        self.shared.resume();
        Ok(())
    }

    fn registers(&mut self, cpu: u32) -> io::Result<Registers> {
        let processor = self.processors.get(cpu as usize).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("there is no vCPU {cpu}"))
        })?;
        // While it runs, its thread has it.
        match processor.try_lock() {
            Ok(processor) => processor.registers(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().registers(),
            Err(TryLockError::WouldBlock) => {
                Err(io::Error::other(format!("vCPU {cpu} runs: pause the machine first")))
            }
        }
    }

    fn save(&mut self) -> io::Result<Saved> {
        if self.shared.devices.has_disks() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, NOT_WITH_DISKS));
        }
        snapshot::save(self).map_err(io::Error::other)
    }

    fn metrics(&self) -> Vec<(String, f64)> {
        let exits = self.exits().into_iter().map(|(kind, count)| {
            // Counts of a guest's life are far below what a float holds exactly.
            #[expect(clippy::cast_precision_loss)]
            let count = count as f64;
            (format!("exits.{}", kind.name()), count)
        });
        let startup = self.shared.first_run.startup().into_iter().flat_map(|startup| {
            let millis = |time: Duration| time.as_secs_f64() * 1000.0;
            [("first_run_ms", millis(startup.wall)), ("first_run_cpu_ms", millis(startup.cpu))]
        });
        exits.chain(startup.map(|(name, value)| (name.to_owned(), value))).collect()
    }

    fn serve_gdb(&mut self, socket: &Path) -> io::Result<()> {
        let (shared, processors) = (Arc::clone(&self.shared), Vec::clone(&self.processors));
        self.debugger = Some(Server::start(socket, shared, processors)?);
        Ok(())
    }

    fn holder(&mut self) -> io::Result<Box<dyn HoldCpus>> {
        Ok(Box::new(Holder(Arc::clone(&self.shared))))
    }

    fn stop(&mut self) {
        self.shared.stop(Stop::Asked);
    }
}

impl Drop for KvmMachine {
    fn drop(&mut self) {
        self.stop();
        self.abandoned.store(true, Ordering::Relaxed);
        self.debugger = None;
        let deadline = Instant::now() + JOIN_PATIENCE;
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && Instant::now() < deadline {
                thread::sleep(JOIN_POLL);
            }
            // A thread that KVM does not let go cannot be ended; it keeps what it needs alive.
            if thread.is_finished() {
                let _ = thread.join();
            }
        }
        // SAFETY: they are not used after this, and this is the only place where they are taken.
        let rest = unsafe {
            (
                ManuallyDrop::take(&mut self.processors),
                ManuallyDrop::take(&mut self.shared),
                ManuallyDrop::take(&mut self.vm),
            )
        };
        closing::close(Box::new(rest));
    }
}
