//! No bytes make the reader of saved states panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| vmm::kvm::fuzzing::read_state(bytes));
