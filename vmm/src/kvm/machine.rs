//! A guest on KVM.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, TryLockError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use kvm_bindings::{CpuId, KVM_MAX_CPUID_ENTRIES};
use kvm_ioctls::{Kvm, VmFd};

use super::arch::cpuid::Place;
use super::boot::{self, Request};
use super::devices::{Devices, VIRTIO_DEVICES};
use super::error::KvmError;
use super::jail::Jail;
use super::memory::{GuestMemory, RamRegion, regions};
use super::outbox::Outbox;
use super::shared::Shared;
use super::supervisor::supervise;
use super::vcpu::{self, Control, Counters, ExitKind, Processor};
use super::{device, vm};
use crate::{Backend, Config, Event, GuestRam, Machine, Registers, Stop};

/// Events that may wait for the harness; past that the guest's output waits too.
const BACKLOG: usize = 256;

/// APIC ids have eight bits, and 255 is "all".
const MOST_CPUS: u8 = 254;

/// How long processors may take to pause.
const PAUSE_PATIENCE: Duration = Duration::from_secs(5);

/// How long threads may take to end after the machine was told to stop; longer than the supervisor waits.
const JOIN_PATIENCE: Duration = Duration::from_secs(4);

/// How often to look for room in the control channel, or for the end of a thread.
const POLL: Duration = Duration::from_millis(1);

/// A running guest.
#[derive(Debug)]
pub struct KvmMachine {
    shared: Arc<Shared>,
    processors: Vec<Arc<Mutex<Processor>>>,
    threads: Vec<JoinHandle<()>>,
    abandoned: Arc<AtomicBool>,
    _vm: VmFd,
}

/// Boots `config` on `/dev/kvm`.
///
/// # Errors
/// Any [`KvmError`]; nothing of a failed start is left running.
pub fn boot(config: &Config) -> Result<(KvmMachine, Receiver<Event>), KvmError> {
    let kvm = device::open(Path::new("/dev/kvm"))?;
    let cpus = check_cpus(&kvm, config.cpus)?;
    let memory = GuestMemory::new(config.memory)?;
    let request = Request {
        kernel: &config.kernel,
        initramfs: &config.initramfs,
        command_line: &config.cmdline,
        cpus,
        virtio_devices: VIRTIO_DEVICES,
    };
    let entry = boot::load(&request, &memory)?;
    entry.write_tables(memory.ram()).map_err(super::memory::MemoryError::from)?;

    let vm = vm::create(&kvm, &memory)?;
    let processors = create_processors(&kvm, &vm, cpus)?;
    processors[0].enter(entry)?;
    let outbox = Arc::new(Outbox::default());
    let devices = Devices::new(&vm, processors[0].fd(), &memory, &outbox)
        .map_err(|source| KvmError::Host { what: "set up the devices", source })?;
    let control = Control::new(cpus);
    let (counters, jail) = (Counters::default(), Jail::new()?);
    let shared = Arc::new(Shared { control, devices, memory, outbox, counters, jail });
    start(vm, processors, shared)
}

fn check_cpus(kvm: &Kvm, asked: u32) -> Result<u8, KvmError> {
    let most = u8::try_from(kvm.get_max_vcpus()).unwrap_or(u8::MAX).min(MOST_CPUS);
    u8::try_from(asked)
        .ok()
        .filter(|cpus| (1..=most).contains(cpus))
        .ok_or(KvmError::Cpus { asked, most })
}

fn create_processors(kvm: &Kvm, vm: &VmFd, cpus: u8) -> Result<Vec<Processor>, KvmError> {
    let supported: CpuId = kvm
        .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
        .map_err(vm::failed("ask KVM for the CPUID that it supports"))?;
    (0..cpus).map(|cpu| Ok(Processor::new(vm, Place { cpu, cpus }, &supported)?)).collect()
}

/// Starts the threads. If one does not start, the machine is dropped, and that ends the others.
fn start(
    vm: VmFd,
    processors: Vec<Processor>,
    shared: Arc<Shared>,
) -> Result<(KvmMachine, Receiver<Event>), KvmError> {
    let (sender, receiver) = sync_channel(BACKLOG);
    let processors = processors.into_iter().map(|one| Arc::new(Mutex::new(one))).collect();
    let abandoned = Arc::new(AtomicBool::new(false));
    let mut machine = KvmMachine { shared, processors, threads: Vec::new(), abandoned, _vm: vm };
    let (shared, abandoned) = (Arc::clone(&machine.shared), Arc::clone(&machine.abandoned));
    machine.spawn("events".into(), move || supervise(&shared, &sender, &abandoned))?;
    for (cpu, processor) in machine.processors.clone().into_iter().enumerate() {
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

    fn stop(&mut self) {
        self.shared.stop(Stop::Asked);
    }
}

impl Drop for KvmMachine {
    fn drop(&mut self) {
        self.stop();
        self.abandoned.store(true, Ordering::Relaxed);
        let deadline = Instant::now() + JOIN_PATIENCE;
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && Instant::now() < deadline {
                thread::sleep(POLL);
            }
            // A thread that KVM does not let go cannot be ended; it keeps what it needs alive.
            if thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}
