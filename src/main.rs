//! The command `kharness`.
fn main() {}
