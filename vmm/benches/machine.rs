//! What a machine costs by itself: `cargo bench -p vmm`.
//!
//! The guests are a few instructions long, so it is the machine that is measured, on any host whose KVM
//! runs small programs. Without KVM there is nothing to measure.

use std::cell::RefCell;
use std::path::Path;
use std::sync::mpsc::Receiver;

use divan::Bencher;
use vmm::kvm::{self, KvmMachine, Probe};
use vmm::{Config, Event, Machine, Stop};

#[path = "../tests/kvm_machine/elf.rs"]
#[expect(clippy::unwrap_used, reason = "shared with tests")]
mod elf;
#[path = "../tests/kvm_machine/programs.rs"]
#[expect(dead_code, reason = "shared with tests, which need more")]
mod programs;

fn main() {
    if let Probe::None { reason } = kvm::probe() {
        println!("nothing to measure: {reason}");
        return;
    }
    divan::main();
}

/// A machine whose guest runs `code` on `data`.
struct Guest {
    config: Config,
    _dir: tempfile::TempDir,
}

impl Guest {
    fn new(code: &[u8], data: &[u8], cpus: u32) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the image");
        let config = Config {
            model: vmm::Model::Pc,
            device_tree: None,
            kernel: elf::write(&dir, &elf::image(code, data, false)),
            initramfs: Vec::new(),
            cmdline: String::new(),
            cpus,
            memory: 256 << 20,
            disks: Vec::new(),
            nested: false,
            paused: false,
            dir: dir.path().into(),
        };
        Self { config, _dir: dir }
    }

    fn boot(&self) -> (KvmMachine, Receiver<Event>) {
        kvm::boot(&self.config).expect("a machine")
    }
}

/// From nothing to running processors, and back.
#[divan::bench(args = [1, 4], max_time = 5)]
fn make_and_drop(bencher: Bencher, cpus: u32) {
    let guest = Guest::new(programs::sleep(), &[0], cpus);
    bencher.bench(|| drop(guest.boot()));
}

/// From nothing to the guest's power-off, which is its first exit.
#[divan::bench(max_time = 5)]
fn make_and_run_to_power_off(bencher: Bencher) {
    let guest = Guest::new(programs::serial(), &0u64.to_le_bytes(), 1);
    bencher.bench(|| {
        let (_machine, events) = guest.boot();
        assert_eq!(events.iter().last(), Some(Event::Stopped(Stop::PowerOff)));
    });
}

/// Out of the guest, while it computes: from the order until the last processor stands still.
#[divan::bench(args = [1, 4], max_time = 5)]
fn pause(bencher: Bencher, cpus: u32) {
    let guest = Guest::new(programs::count(), &[0; 8], cpus);
    let (machine, _events) = guest.boot();
    let machine = RefCell::new(machine);
    // Only a guest that is seen to run can be brought out.
    let run_on = || {
        let mut machine = machine.borrow_mut();
        let before = counted(&machine);
        machine.resume().expect("a running machine");
        while counted(&machine) == before {
            std::hint::spin_loop();
        }
    };
    bencher
        .with_inputs(run_on)
        .bench_local_values(|()| machine.borrow_mut().pause().expect("a paused machine"));
}

/// How far the counting program has come.
fn counted(machine: &KvmMachine) -> [u8; 8] {
    let mut bytes = [0; 8];
    machine.ram().read(elf::DATA, &mut bytes).expect("the program's data");
    bytes
}

/// 16 KiB of console output, all of it received.
#[divan::bench(max_time = 5)]
fn print_on_the_early_console(bencher: Bencher) {
    print_on(bencher, programs::early_console());
}

/// The same on the serial port, which exits for each byte.
#[divan::bench(max_time = 5)]
fn print_on_the_serial_port(bencher: Bencher) {
    print_on(bencher, programs::serial());
}

fn print_on(bencher: Bencher, program: &[u8]) {
    const BYTES: usize = 16 << 10;
    let data = [&(BYTES as u64).to_le_bytes()[..], &[b'x'; BYTES]].concat();
    let guest = Guest::new(program, &data, 1);
    bencher.bench(|| {
        let (_machine, events) = guest.boot();
        let printed: usize = events.iter().map(|event| length(&event)).sum();
        assert_eq!(printed, BYTES);
    });
}

fn length(event: &Event) -> usize {
    if let Event::Console(bytes) = event { bytes.len() } else { 0 }
}

/// Can this host run kernels?
#[divan::bench(max_time = 5)]
fn probe() -> Probe {
    kvm::probe_device(Path::new("/dev/kvm"))
}
