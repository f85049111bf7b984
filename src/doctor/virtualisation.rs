//! What can run guests: KVM and QEMU.

use std::path::Path;

use vmm::kvm::Probe;

use super::check::Check;
use super::programs::version_of;
use crate::plan::Engine;

/// KVM, QEMU, and what `--backend auto` makes of them.
pub fn checks() -> Vec<Check> {
    let probe = vmm::kvm::probe();
    let engine = Engine::choose(None, Path::new("/dev/kvm"));
    let chosen = match engine {
        Ok(engine) => Check::good("backend", format!("{}: {}", engine.backend(), engine.reason)),
        Err(error) => Check::broken("backend", "no guest can be booted here", error.to_string()),
    };
    vec![kvm(&probe), qemu_x86(&probe), qemu_arm(), chosen]
}

/// Its words say what is missing, and the command that mends it.
fn kvm(probe: &Probe) -> Check {
    match probe {
        Probe::Full => Check::good("kvm", probe.to_string()),
        Probe::PayloadOnly { .. } => Check::limited(
            "kvm",
            probe.to_string(),
            "guests are emulated; on a virtual machine, have its host switch nested virtualisation on"
                .to_owned(),
        ),
        Probe::None { .. } => Check::limited("kvm", probe.to_string(), None),
    }
}

fn qemu_x86(probe: &Probe) -> Check {
    let fix = "apt-get install qemu-system-x86 (Fedora: dnf install qemu-system-x86-core)";
    match version_of("qemu-system-x86_64") {
        Some(version) => Check::good("qemu x86-64", version),
        None if *probe == Probe::Full => {
            let found = "qemu-system-x86_64 is not on PATH: no guest with a KVM of its own";
            Check::limited("qemu x86-64", found, fix.to_owned())
        }
        None => Check::broken(
            "qemu x86-64",
            "qemu-system-x86_64 is not on PATH, and KVM does not help",
            fix,
        ),
    }
}

fn qemu_arm() -> Check {
    match version_of("qemu-system-aarch64") {
        Some(version) => Check::good("qemu aarch64", version),
        None => {
            let found = "qemu-system-aarch64 is not on PATH: no aarch64 guests";
            let fix =
                "apt-get install qemu-system-arm (Fedora: dnf install qemu-system-aarch64-core)";
            Check::limited("qemu aarch64", found, fix.to_owned())
        }
    }
}
