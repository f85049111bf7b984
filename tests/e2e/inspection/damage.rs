//! The memory of a real guest, and files made of it, damaged at places that hurt: no view panics, is killed, or
//! takes longer than a multiple of the size of memory.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use inspect::Kernel;

use super::told::{Asked, Told};
use crate::bench::KHARNESS;

/// What a view may take for each byte of guest memory, on a busy machine: 11 s for 512 MiB. The slowest takes a
/// fortieth of it where nothing else runs.
const NANOSECONDS_PER_BYTE: u64 = 20;
/// Views that walk over what the guest has in memory; the first of them is the summary.
const VIEWS: [&[&str]; 12] = [
    &[],
    &["slabs"],
    &["tasks"],
    &["locks"],
    &["stack"],
    &["zones"],
    &["modules"],
    &["cgroups"],
    &["dmesg"],
    &["timers"],
    &["workqueues"],
    &["sysctl"],
];
/// How many bits flip in one place, round after round.
const ROUNDS: [usize; 6] = [1, 4, 16, 64, 256, 1024];
/// How often all of these rounds are run, each time with other bits.
const TIMES: usize = 2;
/// Rounds of the headers of a file.
const HEADER_ROUNDS: usize = 24;
/// Bits of the image as a whole that flip.
const EVERYWHERE: usize = 40_000;

#[test]
fn damaged_memory_of_a_real_guest_is_survived() {
    let told = Told::new(&Asked::stock());
    let mut damage = Damage::new(told.snapshot().join("memory.img"), told.snapshot());
    for (place, targets) in places(&told.snapshot()) {
        assert!(targets.len() > 50, "{place}: only {}", targets.len());
        damage.in_memory(place, &targets);
    }
    let files = [told.vmcore(), told.packed()];
    for _ in 0..TIMES {
        damage.everywhere();
    }
    for file in files {
        let shown = file.display().to_string();
        let bytes: Vec<u64> = (0..6000).collect();
        Damage { file: open(&file), inspected: file, memory: damage.memory, state: damage.state }
            .in_headers(&shown, &bytes);
    }
}

/// Words of memory, by their offsets in the image, that much depends on.
fn places(snapshot: &Path) -> [(&'static str, Vec<u64>); 4] {
    let kernel = Kernel::attach(inspect::dump::open(snapshot).unwrap()).unwrap();
    let symbol = |name| kernel.symbols().address(name).unwrap();
    let noted = |name| kernel.vmcoreinfo().symbol(name).unwrap();
    let range = |start: u64, end: u64| -> Vec<u64> {
        let step = ((end - start) / 4000).max(1);
        let spread = (start..end).step_by(usize::try_from(step).unwrap());
        (start..start + 64)
            .chain(spread)
            .filter_map(|at| kernel.space().translate(at).ok())
            .collect()
    };
    let names = noted("kallsyms_names");
    let parts =
        ["kallsyms_num_syms", "kallsyms_token_table", "kallsyms_token_index", "kallsyms_offsets"];
    let other = parts.map(noted).into_iter().flat_map(|at| range(at, at + 512));
    [
        ("page tables", page_tables(&kernel)),
        ("lists", lists(&kernel)),
        ("BTF", range(symbol("__start_BTF"), symbol("__stop_BTF"))),
        ("kallsyms", range(names, names + 100_000).into_iter().chain(other).collect()),
    ]
}

/// Entries that are there, of the first tables of the kernel's half.
fn page_tables(kernel: &Kernel) -> Vec<u64> {
    let memory = kernel.space().memory();
    let mut tables = vec![kernel.space().root() + 2048];
    let mut entries = Vec::new();
    for index in 0..200 {
        let Some(table) = tables.get(index).copied() else { break };
        let end = (table & !0xfff) + 4096;
        for at in (table..end).step_by(8) {
            // Present, and no large page: what it points to may be a table.
            let entry = memory.u64(at).unwrap_or_default();
            if entry & 1 != 0 {
                entries.push(at);
            }
            if entry & 0x81 == 1 && tables.len() < 200 {
                tables.push(entry & 0x000f_ffff_ffff_f000);
            }
        }
    }
    entries
}

/// The links of tasks, threads, slab caches and modules.
fn lists(kernel: &Kernel) -> Vec<u64> {
    let symbol = |name| kernel.symbols().address(name).unwrap();
    let offset = |ty, member| kernel.offset(ty, member).unwrap();
    let mut links = vec![symbol("slab_caches"), symbol("modules")];
    for task in kernel.tasks().unwrap().items {
        for member in ["tasks", "thread_node", "children", "sibling", "stack", "signal", "mm"] {
            links.push(task.address.0 + offset("task_struct", member));
        }
    }
    let cache = offset("kmem_cache", "list");
    links.extend(kernel.list(symbol("slab_caches"), cache).items.iter().map(|at| at + cache));
    let both = links.into_iter().flat_map(|at| [at, at + 8]);
    both.filter_map(|at| kernel.space().translate(at).ok()).collect()
}

fn open(path: &Path) -> File {
    File::options().read(true).write(true).open(path).unwrap()
}

/// A file that is damaged, and what is then inspected.
struct Damage {
    file: File,
    inspected: PathBuf,
    memory: u64,
    /// xorshift64: any numbers will do that are the same in every run.
    state: u64,
}

impl Damage {
    fn new(image: PathBuf, snapshot: PathBuf) -> Self {
        let memory = std::fs::metadata(&image).unwrap().len();
        Self { file: open(&image), inspected: snapshot, memory, state: 0x9e37_79b9_7f4a_7c15 }
    }

    fn random(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    /// Flips a bit of `bits` in each of some words at `targets`. Gives what undoes it.
    fn flip(&mut self, targets: &[u64], count: usize, bits: u64) -> Vec<(u64, u8)> {
        let mut undo = Vec::new();
        for _ in 0..count {
            let target = targets[usize::try_from(self.random()).unwrap() % targets.len()];
            let bit = self.random() % bits;
            let at = target + bit / 8;
            let mut byte = [0];
            self.file.read_exact_at(&mut byte, at).unwrap();
            undo.push((at, byte[0]));
            self.file.write_all_at(&[byte[0] ^ 1 << (bit % 8)], at).unwrap();
        }
        undo
    }

    fn mend(&self, undo: Vec<(u64, u8)>) {
        // The last flip first: one place may have been hit twice.
        for (at, byte) in undo.into_iter().rev() {
            self.file.write_all_at(&[byte], at).unwrap();
        }
    }

    fn in_memory(&mut self, place: &str, targets: &[u64]) {
        for (round, count) in ROUNDS.repeat(TIMES).into_iter().enumerate() {
            let undo = self.flip(targets, count, 64);
            let other = VIEWS[2 + (round + place.len()) % (VIEWS.len() - 2)];
            for view in [VIEWS[0], VIEWS[1], other] {
                self.survives(&format!("{count} bits of {place}"), view);
            }
            self.mend(undo);
        }
    }

    fn in_headers(&mut self, file: &str, targets: &[u64]) {
        for round in 0..HEADER_ROUNDS {
            // The ELF header and the header of a kdump file are at the very start.
            let targets = if round % 2 == 0 { &targets[..512] } else { targets };
            let undo = self.flip(targets, 1 + round, 8);
            self.survives(file, &["tasks"]);
            self.mend(undo);
        }
    }

    /// All over the image, for good, where there is anything: the holes of the file stay holes.
    fn everywhere(&mut self) {
        for _ in 0..EVERYWHERE {
            let (at, bit) = (self.random() % self.memory, self.random() % 8);
            let mut byte = [0];
            self.file.read_exact_at(&mut byte, at).unwrap();
            if byte[0] != 0 {
                self.file.write_all_at(&[byte[0] ^ 1 << bit], at).unwrap();
            }
        }
        for view in VIEWS {
            self.survives("bits everywhere", view);
        }
    }

    fn survives(&self, damage: &str, view: &[&str]) {
        let start = Instant::now();
        let mut inspect = Command::new(KHARNESS);
        inspect.arg("inspect").arg(&self.inspected).args(view).arg("--json");
        let output = inspect.output().unwrap();
        let took = start.elapsed();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 2)), "{damage}: {view:?}: {said}");
        let limit = Duration::from_nanos(self.memory * NANOSECONDS_PER_BYTE);
        assert!(took < limit, "{damage}: {view:?} took {took:?}");
        println!("{damage}: {view:?} took {took:?}, exit code {:?}", output.status.code());
    }
}
