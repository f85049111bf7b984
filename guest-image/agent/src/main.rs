//! PID 1 of a kharness guest.
fn main() {}
