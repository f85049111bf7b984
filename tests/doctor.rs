//! `kharness doctor`, through the command.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::process::{Command, Output};

fn doctor(args: &[&str], path: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kharness"));
    command.arg("doctor").args(args);
    if let Some(path) = path {
        command.env("PATH", path);
    }
    command.output().unwrap()
}

fn checks(output: &Output) -> Vec<serde_json::Value> {
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    document["host"].as_array().unwrap().clone()
}

fn named<'a>(checks: &'a [serde_json::Value], name: &str) -> &'a serde_json::Value {
    checks.iter().find(|check| check["name"] == name).unwrap()
}

#[test]
fn every_check_has_its_words_and_every_fault_its_cure() {
    let checks = checks(&doctor(&["--json"], None));
    for check in &checks {
        assert!(!check["found"].as_str().unwrap().is_empty(), "{check}");
        assert!(check["state"] != "broken" || check["fix"].is_string(), "{check}");
    }
    for name in ["kvm", "qemu x86-64", "backend", "toolchain", "cache", "memory"] {
        named(&checks, name);
    }
}

#[test]
fn what_is_missing_is_told_with_the_command_that_installs_it() {
    let output = doctor(&["--json"], Some("/nonexistent"));
    let checks = checks(&output);
    let qemu = named(&checks, "qemu aarch64");
    assert_eq!(qemu["state"], "limited");
    assert!(qemu["fix"].as_str().unwrap().contains("apt-get install"), "{qemu}");
    let toolchain = named(&checks, "toolchain")["fix"].as_str().unwrap();
    assert!(toolchain.contains("flex") && toolchain.contains("pahole"), "{toolchain}");
    // Without QEMU all depends on whether KVM works.
    let kvm = named(&checks, "kvm")["state"] == "good";
    assert_eq!(output.status.code(), Some(if kvm { 0 } else { 3 }));
}

#[test]
fn people_read_one_line_a_check() {
    let text = String::from_utf8(doctor(&[], None).stdout).unwrap();
    assert!(text.lines().any(|line| line.contains("qemu x86-64")), "{text}");
    assert!(!text.contains('{'), "{text}");
}

#[test]
fn the_detectors_of_a_kernel_are_told_from_its_configuration_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config-6.1.0-arm64");
    let text = "#\n# Linux/arm64 6.1.192 Kernel Configuration\n#\nCONFIG_KASAN=y\nCONFIG_KASAN_HW_TAGS=y\n\
                # CONFIG_KCSAN is not set\nCONFIG_KFENCE=y\nCONFIG_KFENCE_SAMPLE_INTERVAL=0\n";
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    let document: serde_json::Value =
        serde_json::from_slice(&doctor(&["--kernel", path, "--json"], None).stdout).unwrap();
    assert_eq!(document["kernel"], "Linux/arm64 6.1.192");
    let of = |option: &str| {
        let all = document["detectors"].as_array().unwrap();
        all.iter().find(|detector| detector["option"] == option).unwrap().clone()
    };
    assert_eq!((&of("KASAN")["present"], &of("KCSAN")["present"]), (&true.into(), &false.into()));
    assert!(of("KASAN")["note"].as_str().unwrap().contains("MTE"));
    assert!(of("KFENCE")["note"].as_str().unwrap().contains("kfence.sample_interval"));
    let shown = String::from_utf8(doctor(&["--kernel", path], None).stdout).unwrap();
    assert!(shown.contains("Linux/arm64 6.1.192") && shown.contains("CONFIG_KASAN"), "{shown}");
}

#[test]
fn a_kernel_that_is_not_there_and_a_file_that_is_no_configuration_are_refused() {
    let output = doctor(&["--kernel", "nonsuch"], None);
    assert_eq!(output.status.code(), Some(2));
    let output = doctor(&["--kernel", "/etc/hostname"], None);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/etc/hostname"));
}
