//! Guests of another architecture than this host's: how they end on each board, what their consoles
//! tell, and what is refused before they boot.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::bench::{Bench, CLEAN, Outcome, SKIPPED, kernel, kernel_of, text};
use crate::machine::{Machine, RASPI3B, on_machines};

on_machines! {
    copies_of_one_boot_end_in_every_way_and_each_is_told_apart: VIRT RASPI3B RASPI4B;
    lockdep_reports_are_read_from_the_console: VIRT RASPI3B RASPI4B;
    a_crashed_guest_s_memory_is_read_without_debug_info: VIRT RASPI3B RASPI4B;
}

/// How a guest is kept from ever answering again: by switching its interrupts off.
fn hang(on: &Machine) -> &'static str {
    match on.name() {
        // GICD_CTLR (QEMU's hw/arm/virt.c; ARM IHI 0048B, 4.3.1).
        "virt" => "devmem 0x08000000 32 0",
        "raspi4b" => "devmem 0xff841000 32 0",
        // All disable registers of the first controller (BCM2835 ARM Peripherals, 7.5), where the UARTs
        // are; the timers of the four cores (BCM2836 QA7, 4.6) let nothing else go on.
        "raspi3b" => {
            "for at in 0x3f00b21c 0x3f00b220 0x3f00b224; do devmem $at 32 0xffffffff; done; \
             for at in 0x40000040 0x40000044 0x40000048 0x4000004c; do devmem $at 32 0; done"
        }
        other => panic!("{other} is no board"),
    }
}

/// Ways to end: name, what the step does, status, and words of the cause.
fn endings(on: &Machine) -> [(&'static str, String, &'static str, &'static str); 5] {
    let shell = |line: &str| format!("shell: {line}");
    [
        ("clean", "run: [uname, -m]".into(), "pass", ""),
        ("panic", "sysrq: c".into(), "crash", "kernel report panic in step it"),
        ("reboot", "sysrq: b".into(), "crash", "the guest reset itself in step it"),
        ("off", shell("poweroff -f"), "crash", "the guest powered itself off in step it"),
        ("hang", shell(&format!("{}; sleep 100", hang(on))), "timeout", "it hangs in step it"),
    ]
}

fn copies_of_one_boot_end_in_every_way_and_each_is_told_apart(on: &Machine) {
    let bench = Bench::new();
    for (name, step, ..) in endings(on) {
        // The others end by themselves.
        let limit = if name == "hang" { "timeout: { step: 10s }\n" } else { "" };
        let head = format!("machine: {{ cmdline: iomem=relaxed }}\n{limit}");
        bench.scenario(name, &format!("{head}steps:\n  - id: it\n    {step}\n"));
    }
    let outcome = bench.run(on.arguments().into_iter().chain(["--no-canary", "-j", "1"]));
    outcome.assert_code(1);
    for (name, _, status, cause) in endings(on) {
        let result = outcome.result(name);
        assert_eq!(result["status"], status, "{name}:\n{}", outcome.stderr);
        assert!(text(result, "cause").contains(cause), "{name}: {}", text(result, "cause"));
        assert_eq!(result["attempts"][0]["forked"], true, "{name}");
    }
    let printed = text(&outcome.result("clean")["steps"][0], "stdout");
    assert_eq!(printed.trim(), "aarch64");
}

/// Two mutexes in both orders, on a kernel of ours.
fn lockdep_reports_are_read_from_the_console(on: &Machine) {
    if !on.has("debug") {
        return;
    }
    let yaml = "modules: [{ name: kh_locking, params: { test: mutex_abba } }]\nexpect:\n  \
                - report: lockdep.circular\n    count: 1\n    \
                where: report.fields.held.exists(l, l.class.contains('kh_mutex_b'))\n";
    let bench = Bench::with("inversion", yaml);
    let modules = concat!(env!("CARGO_MANIFEST_DIR"), "/guest-image/modules");
    symlink(modules, bench.path("modules")).unwrap();
    let outcome = bench.run(on.with_kernel("debug"));
    outcome.assert_code(0);
    let reports = outcome.result("inversion")["reports"].as_array().unwrap();
    let report = reports.iter().find(|report| report["kind"] == "lockdep.circular").unwrap();
    assert_eq!(report["title"], "possible deadlock in kh_locking::mutex_abba");
    assert_eq!(report["corrupted"], false, "{report}");
}

/// Debian's kernel for aarch64 has no symbols of variables (CONFIG_KALLSYMS_ALL): only ours can be read.
fn a_crashed_guest_s_memory_is_read_without_debug_info(on: &Machine) {
    if !on.has("debug") {
        return;
    }
    let yaml = "steps:\n  - spawn: [kh-hog, --size, 1MiB, --hold]\n  - wait_for: {memory: \
                \"memory.tasks.exists(t, t.comm == 'kh-hog')\", timeout: 20s}\n  - sysrq: c\nexpect:\n  \
                - report: panic\n  - stopped: panic\n  \
                - memory.tasks.exists(t, t.comm == 'kh-hog')\n";
    let bench = Bench::with("crashed", yaml);
    // A guest that did what was expected of it would leave none of its memory.
    let outcome = bench.run([on.with_kernel("debug"), vec!["--keep"]].concat());
    outcome.assert_code(0);
    let snapshot = bench.run_dir().join("crashed/snapshot");
    let inspect = |view: &str| {
        let mut command = bench.command_of(["inspect", snapshot.to_str().unwrap(), view, "--json"]);
        let outcome = Outcome::of(&mut command);
        outcome.assert_code(0);
        outcome.document
    };
    let tasks = inspect("tasks").to_string();
    assert!(tasks.contains("kh-hog") && tasks.contains("swapper"), "{tasks}");
    assert!(inspect("dmesg").to_string().contains("sysrq triggered crash"));
}

/// The smallest file that passes for a kernel for aarch64 (Documentation/arch/arm64/booting.rst).
fn foreign_image(bench: &Bench) -> PathBuf {
    let mut image = vec![0; 4096];
    image[16..24].copy_from_slice(&4096_u64.to_le_bytes());
    image[56..60].copy_from_slice(b"ARM\x64");
    image.extend(b"Linux version 6.1.0 (somebody@somewhere) (gcc) #1 SMP\0");
    let path = bench.path("image");
    fs::write(&path, image).unwrap();
    path
}

/// A run on `board` that nothing is booted for, with another QEMU.
fn with_qemu(board: &str, qemu: &Path) -> Outcome {
    let bench = Bench::with("skipped", SKIPPED);
    let image = foreign_image(&bench);
    let mut command = bench.command();
    command.args(["--board", board, "-k"]).arg(image).env("KHARNESS_QEMU_AARCH64", qemu);
    Outcome::of(&mut command)
}

#[test]
fn a_kernel_for_x86_is_refused_for_an_aarch64_guest() {
    let bench = Bench::with("clean", CLEAN);
    for machine in [["--arch", "aarch64"], ["--board", "raspi3b"]] {
        let outcome = bench.run(machine.into_iter().chain(["-k", text(kernel(), "image")]));
        outcome.assert_code(2);
        outcome.assert_told(&["is a kernel for x86_64", "this run needs one for aarch64"]);
    }
}

#[test]
fn a_kernel_for_aarch64_is_refused_for_an_x86_guest() {
    let bench = Bench::with("clean", CLEAN);
    let image = foreign_image(&bench);
    let outcome = bench.run(["-k", image.to_str().unwrap()]);
    outcome.assert_code(2);
    outcome.assert_told(&["is a kernel for aarch64", "this run needs one for x86_64"]);
}

#[test]
fn more_than_the_board_has_is_refused_where_it_is_written() {
    let written = [
        ("memory: 2GiB", "raspi3b has 1GiB of RAM, not 2GiB"),
        ("cpus: 8", "raspi3b has 4 CPUs, not 8"),
    ];
    for (key, words) in written {
        let yaml = format!("machine: {{ board: raspi3b, {key} }}\nsteps:\n  - run: [uname]\n");
        let bench = Bench::with("more", &yaml);
        let outcome = bench.run(["--no-canary"]);
        outcome.assert_code(2).assert_told(&["more.yaml:1:", words]);
    }
}

#[test]
fn more_than_the_board_has_is_skipped_where_the_command_line_names_the_board() {
    let bench = Bench::with("more", "machine: { memory: 2GiB }\nsteps:\n  - run: [uname]\n");
    let image = foreign_image(&bench);
    let outcome = bench.run(["--board", "raspi3b", "-k", image.to_str().unwrap()]);
    let told = outcome.stderr.contains("qemu-system-aarch64 is not on PATH");
    if told {
        eprintln!("NOT TESTED: {}", outcome.stderr);
        return;
    }
    outcome.assert_code(0);
    let result = outcome.result("more");
    assert_eq!(result["status"], "skip");
    assert_eq!(result["cause"], "raspi3b has 1GiB of RAM, not 2GiB");
}

#[test]
fn a_missing_qemu_is_told_with_its_package() {
    let outcome = with_qemu("virt", Path::new("nonsuch-qemu"));
    let words = ["nonsuch-qemu", "is not on PATH", "apt-get install qemu-system-arm"];
    outcome.assert_code(3).assert_told(&words);
}

#[test]
fn a_qemu_that_is_too_old_is_told_with_what_to_do() {
    let bench = Bench::new();
    let old = bench.path("qemu-system-aarch64");
    fs::write(&old, "#!/bin/sh\necho QEMU emulator version 7.2.22\n").unwrap();
    fs::set_permissions(&old, PermissionsExt::from_mode(0o755)).unwrap();
    let outcome = with_qemu("raspi4b", &old);
    let words = ["raspi4b needs QEMU 9.0 or newer", "is 7.2", "kernel toolchain --qemu"];
    outcome.assert_code(3).assert_told(&words);
}

#[test]
fn what_a_board_cannot_have_is_told() {
    let bench = Bench::with("nested", "machine: { nested: true }\nsteps:\n  - run: [uname]\n");
    bench.scenario("kvm", "machine: { backend: kvm }\nsteps:\n  - run: [uname]\n");
    let image = foreign_image(&bench);
    let outcome = bench.run(["--board", "raspi3b", "-k", image.to_str().unwrap()]);
    outcome.assert_code(3).assert_told(&["it runs no aarch64 guests here"]);
}

/// A build tree of Debian's kernel with the device tree `contents` for the 3B.
fn tree_with(bench: &Bench, contents: &[u8]) -> PathBuf {
    let kernel = kernel_of("aarch64", "debian");
    let tree = bench.path("tree");
    for dir in ["arch/arm64/boot/dts/broadcom", "include/config"] {
        fs::create_dir_all(tree.join(dir)).unwrap();
    }
    fs::copy(text(&kernel, "image"), tree.join("arch/arm64/boot/Image")).unwrap();
    fs::write(tree.join("include/config/kernel.release"), text(&kernel, "release")).unwrap();
    for empty in ["Kconfig", "modules.order", "modules.builtin", ".config"] {
        fs::write(tree.join(empty), "").unwrap();
    }
    fs::write(tree.join("arch/arm64/boot/dts/broadcom/bcm2837-rpi-3-b.dtb"), contents).unwrap();
    tree
}

#[test]
fn a_device_tree_that_is_not_the_board_s_is_refused() {
    if !RASPI3B.is_here() {
        return;
    }
    let image = text(&kernel_of("aarch64", "debian"), "image").to_owned();
    let root = Path::new(&image).ancestors().nth(2).unwrap();
    let release = text(&kernel_of("aarch64", "debian"), "release").to_owned();
    let trees = root.join(format!("usr/lib/linux-image-{release}/broadcom"));
    let of_the_4b = fs::read(trees.join("bcm2711-rpi-4-b.dtb")).unwrap();
    let cases: [(&[u8], &str); 2] = [
        (&of_the_4b, "it is for raspberrypi,4-model-b, not for raspberrypi,3-model-b"),
        (b"no tree", "it is no device tree"),
    ];
    for (contents, words) in cases {
        let bench = Bench::with("clean", "steps:\n  - run: [uname]\n");
        let tree = tree_with(&bench, contents);
        let outcome = bench.run(["--board", "raspi3b", "-k", tree.to_str().unwrap()]);
        outcome.assert_code(3).assert_told(&["bcm2837-rpi-3-b.dtb", words]);
        assert_eq!(outcome.result("clean")["status"], Value::from("error"));
    }
}
