//! Machines that the same test runs on.

use crate::bench::{Bench, SKIPPED};

/// A kind of guest.
pub struct Machine {
    /// As `--board` names it; this host's own kind where there is none.
    board: Option<&'static str>,
}

/// This host's own kind.
pub const PC: Machine = Machine { board: None };

/// QEMU's board for Arm guests.
pub const VIRT: Machine = Machine { board: Some("virt") };

/// Emulated Raspberry Pi 3B.
pub const RASPI3B: Machine = Machine { board: Some("raspi3b") };

/// Emulated Raspberry Pi 4B.
pub const RASPI4B: Machine = Machine { board: Some("raspi4b") };

impl Machine {
    /// The board called `name`.
    pub fn named(name: &str) -> &'static Self {
        let boards = [&VIRT, &RASPI3B, &RASPI4B];
        boards.into_iter().find(|board| board.name() == name).expect("a board")
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.board.unwrap_or("pc")
    }

    /// Whether it is of this host's own kind.
    pub fn is_pc(&self) -> bool {
        self.board.is_none()
    }

    /// What `kharness run` has to be told. A PC has the kernel that `KHARNESS_KERNEL` names, the others
    /// Debian's.
    pub fn arguments(&self) -> Vec<&'static str> {
        if self.is_pc() { Vec::new() } else { self.with_kernel("debian") }
    }

    /// The same, with the kernel `name`.
    pub fn with_kernel<'a>(&self, name: &'a str) -> Vec<&'a str> {
        let board = self.board.map(|board| ["--board", board]);
        ["-k", name].into_iter().chain(board.into_iter().flatten()).collect()
    }

    /// Whether a kernel and an emulator for it are here; whoever runs the tests is told loudly where they
    /// are not. Those of a PC always are: without them, these tests fail.
    pub fn is_here(&self) -> bool {
        self.has("debian")
    }

    /// The same for the kernel `name`.
    pub fn has(&self, name: &str) -> bool {
        if self.is_pc() {
            return true;
        }
        let bench = Bench::with("skipped", SKIPPED);
        let outcome = bench.run(self.with_kernel(name));
        if outcome.code != Some(0) {
            eprintln!("NOT TESTED on {} with {name}: {}", self.name(), outcome.stderr);
        }
        outcome.code == Some(0)
    }
}

/// Makes tests of functions that take a [`Machine`]: one for each machine that is named.
macro_rules! on_machines {
    ($($test:ident: $($machine:ident)+;)+) => {
        $(mod $test {
            $(#[test]
            #[allow(non_snake_case, reason = "named as the machine is")]
            fn $machine() {
                let machine = &$crate::machine::$machine;
                if machine.is_here() {
                    super::$test(machine);
                }
            })+
        })+
    };
}

pub(crate) use on_machines;
