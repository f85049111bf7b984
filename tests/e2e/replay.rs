//! `kharness run --record` and `kharness replay`, with a guest that panics, and gdb itself.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use crate::bench::{Bench, CLEAN, Outcome, text};
use crate::debugger::{gdb, wait_for};

/// Prints what nobody can foresee, tells where the kernel's `panic` is, and has it called.
const PANICS: &str = "machine: { cpus: 2, memory: 256MiB }
steps:
  - id: random
    shell: head -c 32 /dev/urandom | od -An -tx1 > /dev/kmsg; date +%N > /dev/kmsg
  - id: where
    shell: grep ' T panic$' /proc/kallsyms
  - sysrq: c
";

/// A recorded test.
struct Recorded {
    bench: Bench,
    outcome: Outcome,
}

impl Recorded {
    fn new(yaml: &str, more: &[&str]) -> Self {
        let bench = Bench::with("it", yaml);
        let outcome = bench.run([&["--record"], more].concat());
        Self { bench, outcome }
    }

    fn dir(&self) -> PathBuf {
        self.bench.run_dir().join("it/recording")
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = self.bench.command_of(["replay"]);
        command.arg(self.bench.run_dir()).args(more);
        command
    }

    /// Exit code, and all that is said.
    fn replay(&self, more: &[&str]) -> (Option<i32>, String) {
        said(&mut self.command(more))
    }

    /// Changes a file of the recording, does something, and puts it back.
    fn with_changed(&self, name: &str, change: impl Fn(Vec<u8>) -> Vec<u8>, then: impl FnOnce()) {
        let path = self.dir().join(name);
        let before = fs::read(&path).unwrap();
        // A new file: the old one may have another name.
        let rewrite = |bytes: &[u8]| {
            fs::remove_file(&path).unwrap();
            fs::write(&path, bytes).unwrap();
        };
        rewrite(&change(before.clone()));
        then();
        rewrite(&before);
    }

    fn manifest(&self) -> String {
        fs::read_to_string(self.dir().join("recording.json")).unwrap()
    }
}

fn said(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!told.contains("panicked at"), "{told}");
    (output.status.code(), told)
}

fn sha256(path: &std::path::Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn a_panic_is_done_again_to_the_byte_as_often_as_one_likes_and_gdb_stops_in_it() {
    let recorded = Recorded::new(PANICS, &[]);
    recorded.outcome.assert_code(1);
    let result = recorded.outcome.result("it");
    assert_eq!(text(result, "status"), "crash", "{}", recorded.outcome.stderr);
    assert!(result["artifacts"].as_array().unwrap().contains(&"it/recording".into()), "{result}");
    let console = fs::read(recorded.dir().join("console")).unwrap();
    assert_eq!(fs::read(recorded.bench.run_dir().join("it/console.log")).unwrap(), console);
    for _ in 0..2 {
        let (code, told) = recorded.replay(&[]);
        assert_eq!(code, Some(0), "{told}");
        let bytes = format!("the same again, {} bytes of console", console.len());
        assert!(told.contains(&bytes), "{told}");
    }
    what_is_damaged_or_foreign_is_refused(&recorded);
    what_is_printed_otherwise_is_told(&recorded);

    let line = text(&result["steps"][1], "stdout");
    let panic = line.split(' ').next().unwrap().to_owned();
    assert!(panic.starts_with("ffffffff8"), "without KASLR: {line}");
    let socket = recorded.bench.path("gdb");
    let mut command = recorded.command(&["--gdb", "--socket"]);
    command.arg(&socket);
    let replay = thread::spawn(move || said(&mut command));
    wait_for(&socket);
    let breakpoint = format!("hbreak *0x{panic}");
    let told = gdb(&socket, &[&breakpoint, "continue", "p/x $rip", "delete", "detach"]);
    assert!(told.contains(&format!("$1 = 0x{panic}")), "{told}");
    let (code, told) = replay.join().unwrap();
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("gdb -ex 'target remote") && told.contains("the same again"), "{told}");
}

fn what_is_damaged_or_foreign_is_refused(recorded: &Recorded) {
    let refused = |words: &str| {
        let (code, told) = recorded.replay(&[]);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains(words), "{told}");
    };
    let cut = |mut bytes: Vec<u8>| {
        bytes.pop();
        bytes
    };
    let flipped = |mut bytes: Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    for name in ["log", "initramfs", "console"] {
        recorded.with_changed(name, cut, || refused("were recorded"));
        recorded.with_changed(name, flipped, || refused("SHA-256 differs"));
    }
    recorded.with_changed("recording.json", cut, || refused("line"));
    let of_another = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        text.replace("QEMU emulator version", "QEMU emulator version 1.").into_bytes()
    };
    recorded.with_changed("recording.json", of_another, || refused("only the same QEMU"));
}

fn what_is_printed_otherwise_is_told(recorded: &Recorded) {
    let other = |mut bytes: Vec<u8>| {
        bytes[0] ^= 1;
        bytes
    };
    let before = sha256(&recorded.dir().join("console"));
    assert!(recorded.manifest().contains(&before));
    recorded.with_changed("console", other, || {
        let after = sha256(&recorded.dir().join("console"));
        let believe = |bytes: Vec<u8>| {
            String::from_utf8(bytes).unwrap().replace(&before, &after).into_bytes()
        };
        recorded.with_changed("recording.json", believe, || {
            let (code, told) = recorded.replay(&[]);
            assert_eq!(code, Some(1), "{told}");
            assert!(told.contains("from byte 0 on, in line 1 of the console"), "{told}");
        });
    });
}

#[test]
fn of_what_passes_no_recording_is_kept_unless_all_is_and_what_cannot_be_recorded_is_skipped() {
    let recorded = Recorded::new(CLEAN, &[]);
    recorded.bench.scenario("needs-two", "requires: { cpus: 2 }\nsteps:\n  - run: [uname]\n");
    let disk = "machine: { disks: [{ size: 1MiB }] }\nsteps:\n  - run: [uname]\n";
    recorded.bench.scenario("has-a-disk", disk);
    recorded.outcome.assert_code(0).assert_told(&["Recording", "on one vCPU", "kharness replay"]);
    assert!(!recorded.dir().exists());
    let (code, told) = recorded.replay(&[]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("holds no recording"), "{told}");

    let kept = recorded.bench.run(["--record", "--keep"]);
    kept.assert_code(0);
    for (id, why) in [("needs-two", "the machine has 1"), ("has-a-disk", "cannot be recorded")] {
        assert_eq!(text(kept.result(id), "status"), "skip");
        assert!(text(kept.result(id), "cause").contains(why), "{}", kept.result(id));
    }
    let (code, told) = recorded.replay(&[]);
    assert_eq!(code, Some(0), "{told}");
}

#[test]
fn kvm_records_nothing() {
    let bench = Bench::with("clean", CLEAN);
    bench.run(["--record", "--backend", "kvm"]).assert_code(2).assert_told(&["records nothing"]);
}
