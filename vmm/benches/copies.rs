//! What copies of a guest cost, and putting them back: `cargo bench -p vmm --bench copies`.
//!
//! Prints medians and ratios; what is compared is measured in turns. The guests are a few instructions long,
//! so any host will do whose KVM runs small programs.

use std::hint::black_box;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use kvm_bindings::{kvm_pit_config, kvm_userspace_memory_region};
use kvm_ioctls::Kvm;
use vmm::kvm::{self, KvmMachine, Probe};
use vmm::{Config, Event, GuestRam, Machine, Model, Saved};

#[path = "../tests/kvm_machine/elf.rs"]
#[expect(clippy::unwrap_used, reason = "shared with tests")]
mod elf;
#[path = "../tests/kvm_machine/programs.rs"]
#[expect(dead_code, reason = "shared with tests, which need more")]
mod programs;

const MIB: u64 = 1 << 20;
const PAGE: usize = 4096;
/// Where the guest starts to write.
const PAGES: u64 = 32 * MIB;
/// RAM of guests of which the size does not matter.
const MEMORY: u64 = 256 * MIB;

fn main() {
    if let Probe::None { reason } = kvm::probe() {
        println!("nothing to measure: {reason}");
        return;
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load {}", load.trim());
    resets();
    machines();
    sizes();
    idle();
}

/// A saved guest.
struct Template {
    saved: Saved,
    config: Config,
    _dir: tempfile::TempDir,
}

impl Template {
    fn new(program: &[u8], memory: u64) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the image");
        let config = Config {
            model: Model::Pc,
            device_tree: None,
            kernel: elf::write(&dir, &elf::image(program, &[0; 16], false)),
            initramfs: Vec::new(),
            cmdline: String::new(),
            cpus: 1,
            memory,
            nested: false,
            disks: Vec::new(),
            paused: true,
            dir: dir.path().into(),
        };
        let (mut machine, _events) = kvm::boot(&config).expect("a machine");
        machine.pause().expect("a paused machine");
        let saved = machine.save().expect("a saved machine");
        Self { saved, config, _dir: dir }
    }

    fn fork(&self) -> (KvmMachine, Receiver<Event>) {
        kvm::fork(&self.config, &self.saved).expect("a copy")
    }
}

fn word(machine: &KvmMachine, address: u64) -> u64 {
    let mut bytes = [0; 8];
    machine.ram().read(address, &mut bytes).expect("the program's data");
    u64::from_le_bytes(bytes)
}

/// Putting a guest back that wrote to so many pages, beside copying as many bytes to the same pages, which the guest has just
/// written as well.
fn resets() {
    let template = Template::new(programs::write_pages(), MEMORY);
    let (mut machine, _events) =
        kvm::fork_to_reset(&template.config, &template.saved).expect("a copy");
    machine.pause().expect("a paused machine");
    let mut empty = Duration::ZERO;
    println!("\nreset of a guest of 256 MiB with one processor");
    println!("{:>8} {:>10} {:>10} {:>22}", "pages", "reset us", "memcpy us", "per page / memcpy's");
    for pages in [0usize, 10, 100, 1000, 10_000] {
        let (mut resets, mut copies) = (Vec::new(), Vec::new());
        let was = vec![0u8; pages * PAGE];
        for _ in 0..31 {
            write_pages(&mut machine, pages);
            copies.push(time(|| machine.ram().write(PAGES, black_box(&was)).expect("RAM")));
            machine.reset().expect("a machine that is put back");
            write_pages(&mut machine, pages);
            resets.push(time(|| machine.reset().expect("a machine that is put back")));
        }
        let (reset, copy) = (median(resets), median(copies));
        if pages == 0 {
            empty = reset;
        }
        let ratio = match pages {
            0 => "-".to_owned(),
            _ => format!("{:.2}", micros(reset.saturating_sub(empty)) / micros(copy)),
        };
        println!("{pages:>8} {:>10.1} {:>10.1} {ratio:>22}", micros(reset), micros(copy));
    }
}

/// Lets the guest write to `pages` pages, and pauses it.
fn write_pages(machine: &mut KvmMachine, pages: usize) {
    if pages == 0 {
        return;
    }
    let number = (pages as u64).to_le_bytes();
    machine.ram().write(elf::DATA, &number).expect("the program's data");
    machine.resume().expect("a running machine");
    while word(machine, elf::DATA + 8) == 0 {
        std::thread::sleep(Duration::from_micros(200));
    }
    machine.pause().expect("a paused machine");
}

/// A copy, made and dropped, beside the mere making and closing of a machine as others lay it out: in-kernel interrupt
/// controllers and timer first, then memory.
fn machines() {
    let template = Template::new(programs::sleep(), MEMORY);
    let (mut ours, mut closed, mut others) = (Vec::new(), Vec::new(), Vec::new());
    let ram = GuestRam::new(MEMORY).expect("RAM");
    for _ in 0..31 {
        let mut copy = None;
        ours.push(time(|| copy = Some(template.fork())));
        closed.push(time(|| drop(copy)));
        // It is closed on the side, which is not to disturb the other one.
        std::thread::sleep(Duration::from_millis(50));
        others.push(time(|| with_timer(&ram)));
    }
    let (ours, closed, others) = (median(ours), median(closed), median(others));
    println!(
        "\nmaking a copy, threads and all: {:.0} us; dropping it, as far as one waits for it: {:.0} us",
        micros(ours),
        micros(closed)
    );
    println!("making and closing a bare machine with PIT: {:.0} us", micros(others));
    println!("ratio: {:.3}", micros(ours + closed) / micros(others));
}

fn with_timer(ram: &GuestRam) {
    let kvm = Kvm::new().expect("KVM");
    let vm = kvm.create_vm().expect("a virtual machine");
    vm.set_tss_address(0xfffb_d000).expect("an address");
    vm.create_irq_chip().expect("interrupt controllers");
    vm.create_pit2(kvm_pit_config::default()).expect("a timer");
    let slot = kvm_userspace_memory_region {
        slot: 0,
        flags: 0,
        guest_phys_addr: 0,
        memory_size: ram.size(),
        userspace_addr: ram.host_address().addr() as u64,
    };
    // SAFETY: the RAM outlives the machine.
    unsafe { vm.set_user_memory_region(slot) }.expect("memory");
    drop(vm.create_vcpu(0).expect("a processor"));
}

/// Making a copy, by the size of its RAM; dropping it is not in the time.
fn sizes() {
    let templates = [64, 256, 1024, 4096]
        .map(|size| (size, Template::new(programs::sleep(), size * MIB), Vec::new()));
    let mut templates = templates;
    for _ in 0..31 {
        for (_, template, times) in &mut templates {
            let start = Instant::now();
            let copy = template.fork();
            times.push(start.elapsed());
            drop(copy);
        }
    }
    let medians = templates.map(|(size, _, times)| (size, median(times)));
    println!("\n{:>8} {:>10} {:>16}", "MiB", "fork us", "to 64 MiB's");
    for (size, time) in medians {
        println!("{size:>8} {:>10.0} {:>16.2}", micros(time), micros(time) / micros(medians[0].1));
    }
}

/// Memory of the host that idle copies take, in this process: what they share is not in it.
fn idle() {
    const COPIES: u32 = 16;
    let template = Template::new(programs::sleep(), MEMORY);
    // Copies of before are closed on the side.
    std::thread::sleep(Duration::from_secs(1));
    let before = own_memory();
    let copies: Vec<_> = (0..COPIES).map(|_| template.fork()).collect();
    std::thread::sleep(Duration::from_millis(200));
    let each = (own_memory() - before) / f64::from(COPIES);
    drop(copies);
    println!("\nan idle copy of 256 MiB takes {each:.0} KiB: {:.2} %", each / 2621.44);
}

/// KiB of memory that belongs to this process alone.
fn own_memory() -> f64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").expect("its memory");
    let line = rollup.lines().find(|line| line.starts_with("Private_Dirty:"));
    let words = line.and_then(|line| line.split_ascii_whitespace().nth(1));
    words.and_then(|number| number.parse().ok()).expect("a number")
}

fn time<T>(body: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(body());
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
