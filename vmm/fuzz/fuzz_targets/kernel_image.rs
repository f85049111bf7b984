//! No file makes the kernel loader panic, hang, or write where it must not.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|image: &[u8]| {
    vmm::kvm::fuzzing::load_kernel(image).expect("the host has room for the input");
});
