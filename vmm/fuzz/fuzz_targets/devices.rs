//! No sequence of accesses makes a device panic or hang.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| {
    vmm::kvm::fuzzing::drive_devices(script).expect("the host has room for the machine");
});
