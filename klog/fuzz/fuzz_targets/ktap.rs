//! Any text is KTAP, and a document that says it is good has no bad test.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let document = klog::ktap::parse(text);
    let bad = document.tests.iter().any(|test| test.status.is_bad());
    assert!(!(document.is_good() && bad));
});
