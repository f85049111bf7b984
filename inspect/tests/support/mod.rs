//! A small made-up guest: page tables, kallsyms, BTF, VMCOREINFO, and a few tasks, locks, slabs and log
//! records, laid out as a kernel would. What is in it is known, so every view of it can be checked.

#![allow(dead_code, unused_imports, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod btf;
mod contents;
mod guest;
mod kallsyms;
mod memory;

pub use contents::{LOCK_A, LOCK_B, SLAB};
pub use guest::{Guest, Options, PER_CPU_SYMBOL};
pub use kallsyms::Layout;
pub use memory::{RAM, ROOT};
