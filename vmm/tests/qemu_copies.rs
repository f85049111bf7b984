//! Machines of QEMU, saved and copied. The guest counts in RAM and does nothing else.

#![expect(clippy::unwrap_used, reason = "a helper of a test that fails ends the test")]

#[path = "kvm_machine/elf.rs"]
mod elf;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vmm::qemu::{self, Accel, Qemu, QemuError};
use vmm::{Config, Event, Machine, Model, Saved};

const PATIENCE: Duration = Duration::from_secs(30);

/// In 32-bit mode, where PVH enters it: `mov esi, 0x1200000; 2: inc dword ptr [esi]; jmp 2b`.
const COUNT: [u8; 9] = [0xbe, 0x00, 0x00, 0x20, 0x01, 0xff, 0x06, 0xeb, 0xfc];

/// A guest that was saved when it had counted this far.
struct Template {
    config: Config,
    saved: Saved,
    counted: u32,
    dir: TempDir,
}

fn program() -> &'static Path {
    Path::new("qemu-system-x86_64")
}

fn word(machine: &Qemu) -> u32 {
    let mut bytes = [0; 4];
    machine.ram().read(elf::DATA, &mut bytes).unwrap();
    u32::from_le_bytes(bytes)
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Template {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = Config {
            model: Model::Pc,
            device_tree: None,
            kernel: elf::write(&dir, &elf::image(&COUNT, &[0; 16], true)),
            initramfs: Vec::new(),
            cmdline: String::new(),
            cpus: 2,
            memory: 64 << 20,
            disks: Vec::new(),
            nested: false,
            paused: false,
            dir: dir.path().into(),
        };
        let (mut machine, _events) = qemu::boot(program(), Accel::Tcg, &config).unwrap();
        wait_until("it counts", || word(&machine) > 0);
        machine.pause().unwrap();
        let counted = word(&machine);
        let saved = machine.save().unwrap();
        Self { config, saved, counted, dir }
    }

    fn fork(&self, paused: bool) -> (Qemu, Receiver<Event>) {
        let config = Config { paused, ..self.config.clone() };
        qemu::fork(program(), Accel::Tcg, &config, &self.saved).unwrap()
    }

    /// A machine whose saved state is `state`.
    fn with_state(&self, state: &[u8]) -> Saved {
        let path = self.dir.path().join("state");
        File::create(&path).unwrap().write_all(state).unwrap();
        let memory = self.saved.memory.try_clone().unwrap();
        Saved { memory, state: File::open(path).unwrap() }
    }

    /// Why a copy of `saved` is refused.
    fn refused(&self, config: &Config, saved: &Saved) -> QemuError {
        let start = Instant::now();
        let refused = qemu::fork(program(), Accel::Tcg, config, saved).map(drop).unwrap_err();
        assert!(start.elapsed() < PATIENCE / 2, "at once: {refused}");
        refused
    }
}

fn state_of(saved: &Saved) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let mut bytes = vec![0; usize::try_from(saved.state.metadata().unwrap().len()).unwrap()];
    saved.state.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

#[test]
fn copies_go_on_where_the_machine_was_saved_each_in_memory_of_its_own() {
    let template = Template::new();
    let (still, _events) = template.fork(true);
    let (mut goes_on, _other_events) = template.fork(false);
    wait_until("it counts on", || word(&goes_on) > template.counted + 1000);
    goes_on.pause().unwrap();
    assert_eq!(word(&still), template.counted, "one that is paused executes nothing");
    goes_on.ram().write(elf::DATA, &[0; 4]).unwrap();
    assert_eq!(word(&goes_on), 0);
    assert_eq!(word(&still), template.counted);
}

#[test]
fn a_state_that_was_cut_is_refused() {
    let template = Template::new();
    let state = state_of(&template.saved);
    for length in [0, 1, 100, state.len() / 2, state.len() - 1] {
        let refused = template.refused(&template.config, &template.with_state(&state[..length]));
        assert!(matches!(refused, QemuError::Handshake { .. }), "{length} bytes: {refused}");
    }
}

#[test]
fn a_state_of_something_else_is_refused_with_qemus_reason() {
    let template = Template::new();
    let refused = template.refused(&template.config, &template.with_state(&[7; 5000]));
    assert!(refused.to_string().contains("migration"), "{refused}");
    let fewer = Config { cpus: 1, ..template.config.clone() };
    let refused = template.refused(&fewer, &template.saved);
    assert!(refused.to_string().contains("cpu"), "{refused}");
}

#[test]
fn memory_of_another_size_is_refused() {
    let template = Template::new();
    let larger = Config { memory: 128 << 20, ..template.config.clone() };
    let refused = template.refused(&larger, &template.saved);
    assert!(matches!(refused, QemuError::ForeignRam { .. }), "{refused}");
}

#[test]
fn what_is_saved_can_be_neither_cut_nor_changed_any_more() {
    let template = Template::new();
    assert!(template.saved.memory.set_len(4096).is_err());
    assert!(template.saved.state.set_len(1).is_err());
    assert!((&template.saved.state).write_all(b"x").is_err());
}
