//! A project of its own, with test modules, on a kernel of ours.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::bench::{Bench, KHARNESS, Outcome};

/// Whether the kernel `name` is in the cache. Building one takes longer than all tests together: where
/// it is missing, whoever runs the tests is told so loudly, and the test is skipped.
pub fn has_kernel(name: &str) -> bool {
    let show = Command::new(KHARNESS).args(["kernel", "show", name]).output().unwrap();
    if !show.status.success() {
        eprintln!("SKIPPED, NOT PASSED: no kernel {name}; `kharness kernel build {name}` makes it");
    }
    show.status.success()
}

/// A module of the project.
pub fn module(bench: &Bench, name: &str, source: &str) {
    let path = bench.path("modules").join(name).join(format!("{name}.rs"));
    file(&path, source);
}

/// Any file.
pub fn file(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A module with the body of its one test.
pub fn suite(name: &str, body: &str) -> String {
    format!(
        "// SPDX-License-Identifier: GPL-2.0\n\n//! A test.\n\nuse kharness::prelude::*;\n\n\
         kharness::suite! {{\n    name: \"{name}\",\n    description: \"A test\",\n    tests: [it],\n}}\n\n\
         fn it(_: &Test) -> Outcome {{\n{body}\n    Ok(())\n}}\n"
    )
}

/// A module with an `init` and an `exit` of its own.
pub fn bare(name: &str, init: &str, exit: &str) -> String {
    format!(
        "// SPDX-License-Identifier: GPL-2.0\n\n//! A test.\n\nuse kernel::prelude::*;\n\n\
         module! {{\n    type: It,\n    name: \"{name}\",\n    authors: [\"kharness\"],\n    \
         description: \"A test\",\n    license: \"GPL\",\n}}\n\nstruct It;\n\n\
         impl kernel::Module for It {{\n    fn init(_: &'static ThisModule) -> Result<Self> {{\n{init}\n    }}\n}}\n\n\
         impl Drop for It {{\n    fn drop(&mut self) {{\n{exit}\n    }}\n}}\n"
    )
}

/// Runs the scenarios of the project on `kernel`.
pub fn run(bench: &Bench, kernel: &str) -> Outcome {
    bench.run(["--kernel", kernel])
}

/// The scenario that loads a module and does nothing else.
pub fn loads(name: &str) -> String {
    format!(
        "machine: {{ memory: 256MiB }}\ntimeout: {{ step: 5s }}\nmodules: [{name}]\nexpect: ['true']\n"
    )
}
