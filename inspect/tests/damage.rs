//! Damaged and hostile guests: whatever is in memory, no view panics or runs on.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use inspect::Kernel;
use inspect::dump::Dump;
use proptest::prelude::*;
use support::{Guest, Options};

/// A view of the made-up guest takes milliseconds; a walk without an end takes forever.
const LIMIT: Duration = Duration::from_secs(20);

fn guest() -> &'static [u8] {
    static GUEST: OnceLock<Vec<u8>> = OnceLock::new();
    GUEST.get_or_init(|| Guest::new(Options::default()).memory.bytes)
}

fn dump(bytes: Vec<u8>) -> Dump {
    static TEMPLATE: OnceLock<Guest> = OnceLock::new();
    TEMPLATE.get_or_init(|| Guest::new(Options::default())).dump_of(bytes)
}

/// Asks for everything, and takes whatever answer comes.
fn exercise(dump: Dump) {
    let start = Instant::now();
    if let Ok(kernel) = Kernel::attach(dump) {
        let _ = kernel.summary();
        let _ = kernel.modules();
        let _ = kernel.module_symbols();
        let _ = kernel.slabs();
        let _ = kernel.zones();
        let _ = kernel.run_queues();
        let _ = kernel.held_locks();
        let _ = kernel.lock_classes();
        let _ = kernel.timers();
        let _ = kernel.workqueues();
        let _ = kernel.sysctls();
        let _ = kernel.types().definition("task_struct");
        for task in kernel.tasks().map(|walk| walk.items).unwrap_or_default() {
            let _ = kernel.stack(task.address.0);
            let _ = kernel.mappings(&task);
        }
        for expression in
            ["init_task", "*(struct rq *)per_cpu(runqueues, 0)", "init_task.signal.nr_threads"]
        {
            let _ = kernel.evaluate(expression);
        }
    }
    assert!(start.elapsed() < LIMIT, "took {:?}", start.elapsed());
}

/// Offsets of bytes that hold anything: flips in empty RAM prove nothing.
fn used() -> &'static [usize] {
    static USED: OnceLock<Vec<usize>> = OnceLock::new();
    USED.get_or_init(|| (0..guest().len()).filter(|at| guest()[*at] != 0).collect())
}

/// Few cases, so that the tests are quick; `PROPTEST_CASES=5000` looks harder.
fn config() -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: if asked { default.cases } else { 16 },
        failure_persistence: None,
        ..default
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn flipped_bits_are_survived(flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 1..40)) {
        let mut bytes = guest().to_vec();
        for (index, bit) in flips {
            bytes[*index.get(used())] ^= 1 << bit;
        }
        exercise(dump(bytes));
    }

    #[test]
    fn wild_pointers_are_survived(words in prop::collection::vec((any::<prop::sample::Index>(), wild_word()), 1..20)) {
        let mut bytes = guest().to_vec();
        for (index, word) in words {
            let at = *index.get(used()) & !7;
            bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        exercise(dump(bytes));
    }

    #[test]
    fn random_ram_is_survived(seed in prop::collection::vec(any::<u8>(), 64), stride in 16..512_usize) {
        let mut bytes = guest().to_vec();
        for (index, at) in (0..bytes.len()).step_by(stride).enumerate() {
            bytes[at] = seed[index % seed.len()];
        }
        exercise(dump(bytes));
    }

    #[test]
    fn a_damaged_kdump_file_is_an_error_or_a_kernel(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12), cut in 0..4096_usize) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vmcore");
        let mut file = kdump().to_vec();
        for (at, byte) in flips {
            file[at.index(kdump().len())] = byte;
        }
        file.truncate(kdump().len() - cut);
        std::fs::write(&path, &file).unwrap();
        if let Ok(dump) = inspect::dump::open(&path) {
            exercise(dump);
        }
    }

    #[test]
    fn a_damaged_vmcore_is_an_error_or_a_kernel(flips in prop::collection::vec((0..1024_usize, any::<u8>()), 1..12), length in 0..4096_usize) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vmcore");
        let mut head = vmcore()[..8192].to_vec();
        for (at, byte) in flips {
            head[at] = byte;
        }
        head.truncate(8192 - length);
        std::fs::write(&path, &head).unwrap();
        if let Ok(dump) = inspect::dump::open(&path) {
            exercise(dump);
        }
    }
}

/// Words that lead astray: anywhere, into RAM, into the page array, to NULL.
fn wild_word() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        (0..0x80_0000_u64).prop_map(|at| 0xffff_9c40_0000_0000 + at),
        (0..0x80_0000_u64).prop_map(|at| 0xffff_f1c0_0000_0000 + at),
        (0..0x40_0000_u64).prop_map(|at| 0xffff_ffff_9200_0000 + at),
        0..16_u64,
    ]
}

fn vmcore() -> &'static [u8] {
    static VMCORE: OnceLock<Vec<u8>> = OnceLock::new();
    VMCORE.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vmcore");
        Guest::new(Options::default()).kernel().export_vmcore(&path).unwrap();
        std::fs::read(&path).unwrap()
    })
}

fn kdump() -> &'static [u8] {
    static KDUMP: OnceLock<Vec<u8>> = OnceLock::new();
    KDUMP.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vmcore");
        Guest::new(Options::default()).kernel().export_kdump(&path).unwrap();
        std::fs::read(&path).unwrap()
    })
}

/// Header, sub-header, bitmaps, and the first descriptors.
#[test]
fn every_byte_before_the_pages_of_a_kdump_file_may_be_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vmcore");
    std::fs::write(&path, kdump()).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let head = (8..12).chain(400..464).chain(4096..4096 + 104).chain(8192..8192 + 64);
    let notes = (4096 + 104..8192).step_by(41);
    for at in head.chain(notes) {
        for value in [0, 1, 0x7f, 0xff] {
            file.write_all_at(&[value], at).unwrap();
            match inspect::dump::open(&path) {
                Ok(dump) => exercise(dump),
                Err(error) => assert!(error.to_string().contains("vmcore"), "{error}"),
            }
        }
        let right = &kdump()[usize::try_from(at).unwrap()..][..1];
        file.write_all_at(right, at).unwrap();
    }
}

#[test]
fn a_kdump_file_that_ends_early_is_refused_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vmcore");
    for length in [8, 463, 464, 4096, 4200, 8192, 12288, 16384, 20000] {
        std::fs::write(&path, &kdump()[..length]).unwrap();
        let error = inspect::dump::open(&path).unwrap_err().to_string();
        assert!(
            error.contains("vmcore`, offset 0x") && error.contains("file"),
            "{length}: {error}"
        );
    }
}

#[test]
fn every_byte_of_the_elf_header_may_be_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vmcore");
    for at in 0..64 + 2 * 56 {
        for value in [0, 0x7f, 0xff] {
            let mut head = vmcore()[..8192].to_vec();
            head[at] = value;
            std::fs::write(&path, &head).unwrap();
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            file.set_len(vmcore().len() as u64).unwrap();
            if let Err(error) = inspect::dump::open(&path) {
                assert!(error.to_string().contains("vmcore"), "{error}");
            }
        }
    }
}
