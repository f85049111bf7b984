//! What is wrong with the kernel, or is not there for the guest: named, with what to do about it.

use std::fs;

use crate::bench::{Bench, CLEAN, Outcome};

/// A run with `-k kernel`, which must be refused before anything is booted.
#[track_caller]
fn refused(bench: &Bench, kernel: &str, words: &[&str]) {
    let outcome = bench.run(["-k", kernel]);
    outcome.assert_code(2).assert_told(words);
    assert!(!bench.run_dir().exists(), "a run began");
}

#[track_caller]
fn refused_file(contents: &[u8], words: &[&str]) {
    let bench = Bench::with("clean", CLEAN);
    let file = bench.path("image");
    fs::write(&file, contents).unwrap();
    refused(&bench, file.to_str().unwrap(), words);
}

#[test]
fn a_file_that_is_no_kernel_is_refused() {
    refused_file(b"#!/bin/sh\necho hello\n", &["image", "is not a kernel image", "give a bzImage"]);
}

#[test]
fn an_empty_kernel_is_refused() {
    refused_file(b"", &["image", "is not a kernel image"]);
}

#[test]
fn a_kernel_for_another_architecture_is_refused() {
    // The header of an arm64 Image: Documentation/arm64/booting.rst.
    let mut image = vec![0; 4096];
    image[16..24].copy_from_slice(&4096_u64.to_le_bytes());
    image[56..60].copy_from_slice(b"ARM\x64");
    image.extend(b"Linux version 6.1.0 (somebody@somewhere) (gcc) #1 SMP\0");
    refused_file(&image, &["image", "is a kernel for", "this run needs one for x86_64"]);
}

#[test]
fn a_directory_that_is_no_build_tree_is_refused() {
    let bench = Bench::with("clean", CLEAN);
    let tree = bench.path("tree");
    fs::create_dir(&tree).unwrap();
    refused(&bench, tree.to_str().unwrap(), &["is a directory, but no kernel build tree"]);
}

#[test]
fn a_kernel_that_is_not_there_is_refused() {
    let bench = Bench::with("clean", CLEAN);
    refused(&bench, "/nonexistent/bzImage", &["/nonexistent/bzImage: no such file"]);
    refused(&bench, "debain", &["no kernel \"debain\"", "known by name are", "debian"]);
}

/// A run whose only test cannot be set up: no verdict on the kernel.
#[track_caller]
fn error(name: &str, yaml: &str, words: &[&str]) -> Outcome {
    let outcome = Bench::with(name, yaml).run::<&str>([]);
    outcome.assert_code(3).assert_told(words);
    assert_eq!(outcome.result(name)["status"], "error");
    outcome
}

#[test]
fn a_program_that_the_host_has_not_is_named() {
    let words = ["ERROR", "nonsuch-program", "is not on this host"];
    error("program", "steps:\n  - run: [nonsuch-program]\n", &words);
}

#[test]
fn a_module_that_the_kernel_has_not_is_named_with_the_nearest() {
    let words = ["ERROR", "no kernel module \"nf_contrack\"", "similar: nf_conntrack"];
    error("module", "steps:\n  - load: nf_contrack\n", &words);
}
