//! Any bytes are a log; cutting them in two changes nothing; every report lies inside the log.
#![no_main]

use klog::{Item, Scanner};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|log: &[u8]| {
    let whole = items(&[log]);
    let (head, tail) = log.split_at(log.len() / 2);
    assert_eq!(whole, items(&[head, tail]));
    for item in whole {
        if let Item::Report(report) = item {
            assert!(report.start < report.end && report.end <= log.len() as u64);
        }
    }
});

fn items(chunks: &[&[u8]]) -> Vec<Item> {
    let mut scanner = Scanner::new();
    for chunk in chunks {
        scanner.feed(chunk);
    }
    scanner.finish();
    scanner.drain().collect()
}
