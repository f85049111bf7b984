//! Faults of the host are errors of the run, never verdicts on the kernel.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use rustix::process::geteuid;

use crate::bench::{Bench, CLEAN, KHARNESS, Outcome, SKIPPED, text};
use crate::processes::machines;

/// The program that runs `kharness`: without the rights of root to open whatever it likes.
fn unprivileged() -> Command {
    if !geteuid().is_root() {
        return Command::new(KHARNESS);
    }
    let mut command = Command::new("setpriv");
    command.arg("--bounding-set=-dac_override,-dac_read_search").arg(KHARNESS);
    command
}

/// `unshare` into a mount namespace of its own, which goes when the command ends. Without root it
/// takes a user namespace too, which some places forbid, a chroot among them: `None` there.
fn unshare() -> Option<Command> {
    let unshare = |args: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(args);
        command
    };
    let ways: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    let works = |args: &&&[&str]| unshare(args).arg("true").status().is_ok_and(|s| s.success());
    ways.iter().find(works).map(|args| unshare(args))
}

#[test]
fn a_full_disk_is_an_error_that_names_the_file() {
    let Some(mut command) = unshare() else {
        eprintln!("NOT TESTED: no full disk can be made here, without root and user namespaces");
        return;
    };
    let bench = Bench::with("clean", CLEAN);
    let dir = bench.run_dir();
    fs::create_dir(&dir).unwrap();
    command.args(["sh", "-ec", "mount -t tmpfs -o size=16k none \"$0\"; exec \"$@\""]).arg(&dir);
    command.arg(KHARNESS).args(bench.arguments());
    let outcome = Outcome::of(bench.in_place(&mut command));
    outcome.assert_code(3);
    let result = outcome.result("clean");
    assert_eq!(result["status"], "error");
    let cause = text(result, "cause");
    assert!(cause.contains("run/clean/") && cause.contains("No space left on device"), "{cause}");
    assert!(machines(&dir).is_empty());
}

#[test]
fn a_run_directory_that_cannot_be_written_is_named() {
    let bench = Bench::with("clean", CLEAN);
    let dir = bench.run_dir();
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o555)).unwrap();
    let mut command = unprivileged();
    let outcome = Outcome::of(bench.in_place(command.args(bench.arguments())));
    outcome.assert_code(3).assert_told(&["cannot write", dir.to_str().unwrap(), "denied"]);
}

#[test]
fn a_missing_qemu_is_told_with_its_package() {
    let bench = Bench::with("clean", CLEAN);
    let package = ["is not on PATH", "apt-get install qemu-system-x86"];
    let named = Outcome::of(bench.command().env("KHARNESS_QEMU", "nonsuch-qemu"));
    named.assert_code(3).assert_told(&["nonsuch-qemu"]).assert_told(&package);
    let nowhere = Outcome::of(bench.command().env("PATH", "/nonexistent"));
    nowhere.assert_code(3).assert_told(&["qemu-system-x86_64"]).assert_told(&package);
}

#[test]
fn a_kvm_device_without_permission_is_told_with_what_to_do() {
    let bench = Bench::with("skipped", SKIPPED);
    let device = bench.path("kvm");
    fs::write(&device, "").unwrap();
    fs::set_permissions(&device, Permissions::from_mode(0o000)).unwrap();
    let run = |backend: &str| {
        let mut command = unprivileged();
        command.args(bench.arguments()).arg("--kvm-device").arg(&device);
        Outcome::of(bench.in_place(command.args(["--backend", backend])))
    };
    let why = format!("no permission to open {}", device.display());
    let insisted = run("kvm");
    insisted.assert_code(3).assert_told(&["backend kvm: ", &why, "usermod -aG kvm"]);
    let auto = run("auto");
    auto.assert_code(0).assert_told(&["emulation, because ", &why]);
    assert!(text(&auto.document["run"], "backend_reason").contains(&why));
}

#[test]
fn a_host_without_kvm_emulates_and_says_why() {
    let bench = Bench::with("skipped", SKIPPED);
    let arguments = ["--kvm-device", "/nonexistent/kvm"];
    let auto = bench.run(arguments);
    auto.assert_code(0).assert_told(&["emulation, because ", "/nonexistent/kvm is not there"]);
    assert_eq!(auto.document["run"]["backend"], "qemu-tcg");
    let insisted = bench.run(arguments.iter().chain(&["--backend", "kvm"]));
    insisted.assert_code(3).assert_told(&["backend kvm: ", "/nonexistent/kvm is not there"]);
}

#[test]
fn a_disk_image_that_is_not_there_is_an_error_that_names_it() {
    let bench = Bench::with("disk", "machine: { disks: [{ from: none.img }] }\nexpect: ['true']\n");
    let outcome = bench.run::<&str>([]);
    outcome.assert_code(3).assert_told(&["none.img: No such file or directory"]);
    assert_eq!(text(outcome.result("disk"), "status"), "error");
}
