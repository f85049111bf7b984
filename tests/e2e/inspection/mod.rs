//! What inspection reads out of a real guest's memory, against what the guest itself said of it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use inspect::memory::PageTable;
use serde_json::Value;

mod crash;
mod damage;
mod memory;
mod same;
mod told;

use self::same::same;
use self::told::{Asked, Told};
use crate::bench::{Bench, KHARNESS, text};
use crate::project::has_kernel;

#[test]
fn memory_says_what_the_guest_says() {
    let told = Told::new(&Asked::stock());
    same(&told);
    types_of_a_module(&told);
}

/// A kernel with lockdep and its own modules.
#[test]
fn memory_of_our_own_kernel_says_what_the_guest_says() {
    if has_kernel("debug") {
        same(&Told::new(&Asked::debug()));
    }
}

/// `struct loop_device` is nowhere but in the module.
fn types_of_a_module(told: &Told) {
    let view = |arguments: &[&str]| {
        let path = told.snapshot();
        let output = Command::new(KHARNESS).arg("inspect").arg(path).args(arguments).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let shown = view(&["type", "loop_device"]);
    assert!(shown.contains("struct gendisk * lo_disk;"), "{shown}");
    let size = view(&["print", "&((struct loop_device *)0)->lo_disk"]);
    assert!(size.contains("struct gendisk *"), "{size}");
}

/// A guest that hangs leaves a snapshot, and the result says what is in it.
#[test]
fn a_hang_leaves_a_snapshot_that_tells_who_hangs() {
    let hang = "machine: { cpus: 1, memory: 256MiB }\ntimeout: { step: 3s }\nsteps:\n  \
                - id: stuck\n    run: [sleep, \"1000\"]\n";
    let bench = Bench::with("hang", hang);
    let outcome = bench.run(["--timeout-scale", "2", "--no-canary"]);
    let result = outcome.result("hang");
    // On a host that is overloaded the status is an error; the cause is the same.
    assert!(text(result, "cause").contains("step took more than 6s"), "{result}");
    assert!(result["artifacts"].to_string().contains("hang/snapshot"), "{result}");
    let guest = result["guest"].to_string();
    assert!(guest.contains("Stopped: timeout: step took more than 6s"), "{guest}");
    let output = Command::new(KHARNESS)
        .arg("inspect")
        .arg(bench.run_dir())
        .args(["tasks", "--name", "sleep"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("sleep"), "{output:?}");
}

/// How long a guest may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A guest that runs is looked at without being stopped: its test passes all the same.
#[test]
fn a_running_guest_is_looked_at_in_place() {
    let sleeps = "machine: { cpus: 1, memory: 256MiB }\nsteps:\n  - run: [sleep, \"15\"]\n";
    let bench = Bench::with("live", sleeps);
    let run =
        bench.command().arg("--no-canary").stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut run = run.unwrap();
    let look = || {
        let mut look = Command::new(KHARNESS);
        look.args(["inspect", "--live"]).arg(bench.run_dir()).args(["tasks", "--name", "sleep"]);
        look.output().unwrap()
    };
    let deadline = Instant::now() + PATIENCE;
    let seen = loop {
        let output = look();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if text.contains("sleep") || Instant::now() > deadline {
            break text;
        }
        std::thread::sleep(Duration::from_millis(300));
    };
    assert!(seen.contains("sleep"), "{seen}");
    assert!(run.wait().unwrap().success(), "the test that was looked at");
    let after = look();
    assert_eq!(after.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&after.stderr).contains("no guest runs"), "{after:?}");
}

/// The vmlinux with debugging information of a kernel in the cache.
fn symbols_of(kernel: &str) -> PathBuf {
    let show = Command::new(KHARNESS).args(["kernel", "show", kernel, "--json"]).output().unwrap();
    let shown: Value = serde_json::from_slice(&show.stdout).unwrap();
    PathBuf::from(text(&shown, "symbols"))
}

/// drgn with the kernel's debugging information is the other opinion.
#[test]
fn drgn_says_the_same_of_the_exported_vmcore() {
    let Some(python) = drgn() else { return };
    if has_kernel("debug") {
        compare_with_drgn(&python, &Told::new(&Asked::debug()), &symbols_of("debug"));
    }
}

/// From PyPI, at a version that was tried.
const DRGN: &str = "drgn==0.3.0";

/// A Python with drgn: what `KHARNESS_DRGN` names, or one that is made here; `None`, loudly, where that cannot be.
fn drgn() -> Option<OsString> {
    if let Some(python) = std::env::var_os("KHARNESS_DRGN") {
        return Some(python);
    }
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("drgn");
    let (python, ready) = (venv.join("bin/python"), venv.join("ready"));
    let ran = |command: &mut Command| command.status().is_ok_and(|status| status.success());
    let made = ready.exists()
        || ran(Command::new("python3").args(["-m", "venv"]).arg(&venv))
            && ran(Command::new(&python).args(["-m", "pip", "-q", "install", DRGN]))
            && std::fs::write(&ready, "").is_ok();
    if !made {
        eprintln!("NOT TESTED: no Python with {DRGN}: python3 -m venv, or PyPI, does not work");
    }
    made.then(|| python.into())
}

fn compare_with_drgn(python: &OsStr, told: &Told, vmlinux: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/compare_with_drgn.py");
    let output = Command::new(python)
        .arg(script)
        .args([Path::new(KHARNESS), &told.vmcore(), vmlinux])
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// One and four CPUs, memory above 4 GiB, and five levels of page tables.
const MACHINES: [(&str, bool); 4] = [
    ("{ cpus: 2, memory: 512MiB, backend: qemu }", true),
    ("{ cpus: 2, memory: 5GiB }", false),
    ("{ cpus: 4, memory: 512MiB }", false),
    ("{ cpus: 1, memory: 512MiB }", false),
];

/// What the guest translates addresses with.
fn page_tables_of(told: &Told) -> PageTable {
    let dump = inspect::dump::open(&told.snapshot()).unwrap();
    inspect::Kernel::attach(dump).unwrap().space().format()
}

/// On demand: every kernel in `KHARNESS_INSPECT_KERNELS` (what `-k` takes, each with `=VMLINUX` for drgn,
/// with spaces between) on every machine.
#[test]
#[ignore = "takes minutes for each kernel that KHARNESS_INSPECT_KERNELS names"]
fn kernels_on_all_machines_say_what_their_guests_say() {
    let kernels = std::env::var("KHARNESS_INSPECT_KERNELS").unwrap_or_else(|_| "debian".into());
    let python = std::env::var_os("KHARNESS_DRGN");
    let mut failed = Vec::new();
    for (machine, five_levels) in MACHINES {
        for kernel in kernels.split_whitespace() {
            let (kernel, vmlinux) =
                kernel.split_once('=').map_or((kernel, None), |(k, v)| (k, Some(v)));
            let base = if kernel == "debug" { Asked::debug() } else { Asked::stock() };
            let asked = Asked { kernel: Some(kernel.into()), machine, five_levels, ..base };
            let outcome = std::panic::catch_unwind(|| {
                let told = Told::new(&asked);
                let tables = page_tables_of(&told);
                println!("{kernel} {machine}: {tables:?}");
                assert_eq!(tables, PageTable::X86 { levels: if five_levels { 5 } else { 4 } });
                same(&told);
                if let (Some(python), Some(vmlinux)) = (&python, vmlinux) {
                    compare_with_drgn(python, &told, Path::new(vmlinux));
                }
            });
            println!("{kernel} {machine}: {}", if outcome.is_ok() { "same" } else { "DIFFERS" });
            failed.extend(outcome.err().map(|_| format!("{kernel} {machine}")));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
