//! What can be recorded: QEMU counts the instructions of one vCPU, and its log has the bytes of serial lines.

use crate::scenario::Loaded;
use crate::scenario::model::{Arch, Scenario};

/// Puts all of `scenarios` on one vCPU. One that needs more says so when it is its turn ([`super::unmet`]).
pub fn fit_for_recording(scenarios: &mut [Loaded]) {
    for loaded in scenarios {
        loaded.scenario.machine.cpus = 1;
    }
}

/// Why `scenario` cannot be recorded, if that is so.
pub fn unrecordable(scenario: &Scenario) -> Option<String> {
    let machine = &scenario.machine;
    if machine.arch != Arch::X86_64 {
        Some(format!("QEMU records PCs, and this is for {}", machine.arch))
    } else if !machine.disks.is_empty() {
        Some("a machine with disks cannot be recorded".into())
    } else if machine.nested {
        Some("a guest with a KVM of its own cannot be recorded".into())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::built_in;

    fn of(machine: &str) -> Option<String> {
        let text = format!("{{machine: {machine}, steps: [{{shell: 'true'}}]}}");
        let mut loaded = [built_in("x", Box::leak(text.into_boxed_str())).unwrap()];
        fit_for_recording(&mut loaded);
        assert_eq!(loaded[0].scenario.machine.cpus, 1);
        unrecordable(&loaded[0].scenario)
    }

    #[test]
    fn a_pc_can_be_recorded_and_what_qemu_does_not_record_is_told() {
        assert_eq!(of("{cpus: 2}"), None);
        assert!(of("{nested: true}").unwrap().contains("KVM of its own"));
        assert!(of("{board: virt}").unwrap().contains("aarch64"));
        assert!(of("{disks: [{size: 1MiB}]}").unwrap().contains("disks"));
    }
}
