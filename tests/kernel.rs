//! `kernel list`, `show`, `rm`, `fetch` and `build`, through the command, without a network.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

fn kharness(cache: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kharness"));
    command.env("KHARNESS_CACHE", cache).args(words).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// A cache with one entry, whose image is no kernel.
fn cache_with_entry() -> TempDir {
    let cache = TempDir::new().unwrap();
    let dir = cache.path().join("kernels/debian-6.1.0-9-amd64");
    fs::create_dir_all(dir.join("boot")).unwrap();
    fs::write(dir.join("boot/vmlinuz-6.1.0-9-amd64"), "no kernel").unwrap();
    let entry = r#"{"name": "debian-6.1.0-9-amd64", "alias": "debian", "release": "6.1.0-9-amd64",
        "arch": "x86_64", "created": 1700000000, "size": 5242880,
        "origin": {"kind": "package", "package": "linux-image-6.1.0-9-amd64", "version": "6.1.27-1"}}"#;
    fs::write(dir.join("entry.json"), entry).unwrap();
    cache
}

#[test]
fn an_empty_cache_says_how_to_fill_it() {
    let cache = TempDir::new().unwrap();
    let output = kharness(cache.path(), &["kernel", "list"]);
    assert!(stdout(&output).contains("kharness kernel fetch debian"), "{}", stdout(&output));
    assert_eq!(output.status.code(), Some(0));
    let output = kharness(cache.path(), &["kernel", "list", "--json"]);
    assert_eq!(stdout(&output).trim(), "[]");
}

#[test]
fn entries_are_listed_for_people_and_for_programs() {
    let cache = cache_with_entry();
    let output = kharness(cache.path(), &["kernel", "list"]);
    let row = stdout(&output).lines().nth(1).unwrap();
    assert!(row.starts_with("debian-6.1.0-9-amd64  debian  6.1.0-9-amd64  x86_64  5 MiB"), "{row}");
    let output = kharness(cache.path(), &["kernel", "list", "--json"]);
    let json: serde_json::Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(json[0]["origin"]["version"], "6.1.27-1");
}

#[test]
fn removed_entries_are_gone_and_unknown_ones_are_wrong_usage() {
    let cache = cache_with_entry();
    let remove = || kharness(cache.path(), &["kernel", "rm", "debian-6.1.0-9-amd64"]);
    assert_eq!(remove().status.code(), Some(0));
    assert!(!cache.path().join("kernels/debian-6.1.0-9-amd64").exists());
    let again = remove();
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("holds no kernel"), "{}", stderr(&again));
}

#[test]
fn show_refuses_what_is_no_kernel_and_names_the_file() {
    let cache = cache_with_entry();
    let output = kharness(cache.path(), &["kernel", "show", "debian"]);
    assert_eq!(output.status.code(), Some(2));
    let told = stderr(&output);
    assert!(told.contains("vmlinuz-6.1.0-9-amd64 is not a kernel image"), "{told}");
    assert!(told.contains("found text"), "{told}");
}

#[test]
fn a_profile_that_is_not_built_says_how_to_build_it() {
    let cache = TempDir::new().unwrap();
    let output = kharness(cache.path(), &["kernel", "show", "debug"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("`kharness kernel build debug`"), "{}", stderr(&output));
}

#[test]
fn fetching_without_apt_says_what_else_to_do() {
    let cache = TempDir::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_kharness"))
        .env("KHARNESS_CACHE", cache.path())
        .env("PATH", cache.path())
        .args(["kernel", "fetch", "debian"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let told = stderr(&output);
    assert!(told.contains("apt-get") && told.contains("give a kernel with -k"), "{told}");
}

#[test]
fn a_fetch_into_a_place_that_cannot_be_written_names_it() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let output = kharness(&file, &["kernel", "fetch", "debian"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains(&file.display().to_string()), "{}", stderr(&output));
}

#[test]
fn wrong_fragments_and_sources_are_wrong_usage() {
    let cache = TempDir::new().unwrap();
    let fragment = cache.path().join("my.config");
    fs::write(&fragment, "CONFIG_SMP=y\nSMP\n").unwrap();
    let build = |words: &[&str]| {
        let output = kharness(cache.path(), &[&["kernel", "build", "fast"], words].concat());
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        stderr(&output).to_owned()
    };
    let told = build(&["--config", fragment.to_str().unwrap()]);
    assert!(told.contains("my.config:2: \"SMP\" sets nothing"), "{told}");
    let told = build(&["--source", cache.path().to_str().unwrap()]);
    assert!(told.contains("is no kernel source: it has no Makefile"), "{told}");
    let told = build(&["--source", "/nonexistent/linux"]);
    assert!(told.contains("--source /nonexistent/linux"), "{told}");
}
