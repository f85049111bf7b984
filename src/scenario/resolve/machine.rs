//! The machine: what keys change of it, from the default on.

use std::fmt;

use super::disk::disks;
use crate::scenario::model::{Arch, Backend, Board, Disk, LeftOpen, Machine};
use crate::scenario::problem::Problems;
use crate::scenario::units::Size;
use crate::scenario::written::{MachineKeys, Placed, Text};

/// CPUs and memory of a machine that states none.
const DEFAULT_CPUS: u32 = 2;
const DEFAULT_MEMORY: Size = Size::mebibytes(512);

/// More CPUs than any test needs are a mistake.
const MOST_CPUS: u32 = 64;

/// A kernel and its initramfs need about this much to boot.
const LEAST_MEMORY: Size = Size::mebibytes(32);

/// All machines by name: architectures, and boards.
const ARCHES: [Arch; 2] = [Arch::X86_64, Arch::Aarch64];
const BOARDS: [Board; 3] = [Board::Virt, Board::Raspi3b, Board::Raspi4b];

/// The machine that `keys` state.
pub fn machine(keys: &MachineKeys, problems: &mut Problems) -> Machine {
    let mut machine = Machine {
        arch: Arch::default(),
        board: None,
        cpus: DEFAULT_CPUS,
        memory: DEFAULT_MEMORY,
        backend: Backend::default(),
        disks: Vec::new(),
        nested: false,
        unpack: true,
        cmdline: String::new(),
        left_open: LeftOpen { cpus: true, memory: true },
    };
    let change = Change::read(keys, problems);
    if let (Some(Arch::X86_64), Some(board)) = (keys.arch.0, &keys.board.0) {
        let message = format!("{} is a board of aarch64, and `arch` is x86-64", board.value);
        problems.add_with_help(board.place, message, "leave `arch` out");
    }
    change.apply(&mut machine);
    if let (Err(message), Some(board)) = (machine.fit_to_board(), &keys.board.0) {
        problems.add(board.place, message);
    }
    machine
}

/// What some keys change of a machine; its words tell it from other changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    arch: Option<Arch>,
    board: Option<Board>,
    /// Number of CPUs.
    pub cpus: Option<u32>,
    memory: Option<Size>,
    backend: Option<Backend>,
    disks: Option<Vec<Disk>>,
    nested: Option<bool>,
    unpack: Option<bool>,
    cmdline: Option<String>,
}

impl Change {
    /// What `keys` state.
    pub fn read(keys: &MachineKeys, problems: &mut Problems) -> Self {
        Self {
            arch: keys.arch.0,
            board: keys.board.0.as_ref().map(|board| board.value),
            cpus: keys.cpus.0.as_ref().map(|cpus| cpu_count(cpus, problems)),
            memory: keys.memory.0.as_ref().map(|size| memory(size, problems)),
            backend: keys.backend.0,
            disks: keys.disks.0.as_ref().map(|written| disks(written, problems)),
            nested: keys.nested.0,
            unpack: keys.unpack.0,
            cmdline: keys.cmdline.0.as_ref().map(|words| cmdline(words, problems)),
        }
    }

    /// The machine called `name`, an architecture or a board, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        let arch = ARCHES.into_iter().find(|arch| arch.to_string() == name);
        let board = BOARDS.into_iter().find(|board| board.to_string() == name);
        (arch.is_some() || board.is_some()).then(|| Self { arch, board, ..Self::default() })
    }

    /// Another number of CPUs.
    pub fn of_cpus(cpus: u32) -> Self {
        Self { cpus: Some(cpus), ..Self::default() }
    }

    /// The names of all machines.
    pub fn names() -> Vec<String> {
        let arches = ARCHES.iter().map(ToString::to_string);
        arches.chain(BOARDS.iter().map(ToString::to_string)).collect()
    }

    /// Makes it to `machine`. Words of the command line are appended; all else is replaced.
    pub fn apply(&self, machine: &mut Machine) {
        let of_board = self.board.map(|_| Arch::Aarch64);
        machine.arch = self.arch.or(of_board).unwrap_or(machine.arch);
        let kept = machine.board.filter(|_| machine.arch != Arch::X86_64);
        machine.board = self.board.or(kept);
        machine.left_open.cpus &= self.cpus.is_none();
        machine.left_open.memory &= self.memory.is_none();
        let left_open = machine.left_open;
        machine.cpus =
            self.cpus.unwrap_or(if left_open.cpus { DEFAULT_CPUS } else { machine.cpus });
        machine.memory =
            self.memory.unwrap_or(if left_open.memory { DEFAULT_MEMORY } else { machine.memory });
        // What does not fit is told where it is written, or when it is skipped.
        let _ = machine.fit_to_board();
        machine.backend = self.backend.unwrap_or(machine.backend);
        if let Some(disks) = &self.disks {
            machine.disks.clone_from(disks);
        }
        machine.nested = self.nested.unwrap_or(machine.nested);
        machine.unpack = self.unpack.unwrap_or(machine.unpack);
        let words = [machine.cmdline.as_str(), self.cmdline.as_deref().unwrap_or_default()];
        machine.cmdline = words.join(" ").trim().to_owned();
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A board has an architecture: naming both says no more.
        let arch = self.arch.filter(|_| self.board.is_none()).map(|arch| arch.to_string());
        let flag = |flag: Option<bool>, name: &str| {
            flag.map(|on| if on { name.to_owned() } else { format!("not-{name}") })
        };
        let parts = [
            arch,
            self.board.map(|board| board.to_string()),
            self.cpus.map(|cpus| format!("{cpus}cpus")),
            self.memory.map(|memory| memory.to_string()),
            self.backend.map(|backend| backend.to_string()),
            self.disks.as_ref().map(|disks| named(disks)),
            flag(self.nested, "nested"),
            flag(self.unpack, "unpack"),
            self.cmdline.clone(),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(&parts.join("+"))
    }
}

fn named(disks: &[Disk]) -> String {
    let names: Vec<String> = disks.iter().map(ToString::to_string).collect();
    if names.is_empty() { "no-disks".into() } else { names.join("+") }
}

fn cpu_count(cpus: &Placed<u32>, problems: &mut Problems) -> u32 {
    if !(1..=MOST_CPUS).contains(&cpus.value) {
        let message = format!("a machine has 1 to {MOST_CPUS} CPUs, not {}", cpus.value);
        problems.add(cpus.place, message);
    }
    cpus.value
}

fn memory(written: &Text<Size>, problems: &mut Problems) -> Size {
    let size = written.read(problems).unwrap_or(DEFAULT_MEMORY);
    if size < LEAST_MEMORY {
        let message = format!("no kernel boots in {size}: give at least {LEAST_MEMORY}");
        problems.add(written.place(), message);
    }
    size
}

fn cmdline(words: &Text<String>, problems: &mut Problems) -> String {
    if words.as_str().chars().any(char::is_control) {
        problems.add(words.place(), "a kernel command line is one line of plain text");
    }
    words.as_str().to_owned()
}
