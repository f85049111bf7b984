//! Our own KVM machine under a real KVM: a guest of QEMU's that has one runs scenarios in it.
//!
//! `./dev nested TEST [KERNEL]...` runs the long tests of the module `TEST`, with an optimised command: an emulated
//! processor takes ten times as long for the other.

mod boots;
mod consoles;
mod copies;
mod kernels;
mod scenarios;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::{Bench, KHARNESS, Outcome, text};

/// How often the outer guest may die.
const TRIES: usize = 4;

/// The command that is tested, outside of the outer guest and in it.
fn program() -> PathBuf {
    env::var_os("KHARNESS_NESTED_PROGRAM").map_or_else(|| KHARNESS.into(), PathBuf::from)
}

/// Runs the scenario `path` on the kernel that it names, and gives what its last step printed. An outer guest that dies
/// says nothing of what runs in it: no program can be at fault for that, and the emulator's SVM now and then is. It is
/// tried again.
fn run(bench: &Bench, path: &Path) -> String {
    for number in 1.. {
        let mut command = Command::new(program());
        command.arg("run").arg(path).args(["--json", "--run-dir"]);
        let outcome =
            Outcome::of(bench.in_place(command.arg(bench.path(&format!("run-{number}")))));
        let result = &outcome.document["results"][0];
        if text(result, "status") == "crash" && number < TRIES {
            eprintln!("the outer guest died: {}", text(result, "cause"));
            continue;
        }
        outcome.assert_code(0);
        // A second try of the outer guest makes it flaky, which says nothing about what runs in it either.
        assert!(["pass", "flaky"].contains(&text(result, "status")), "{}", outcome.stderr);
        return text(result["steps"].as_array().unwrap().last().unwrap(), "stdout").to_owned();
    }
    unreachable!("the last try is judged")
}

#[test]
fn stock_kernels_boot_and_end_as_they_should_under_a_real_kvm() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let told = run(&Bench::new(), &root.join("scenarios/kvm/nested.yaml"));
    assert!(told.contains("Backend kvm"), "{told}");
}
