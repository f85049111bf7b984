//! `kharness run` from end to end: the built command, real guests, a distribution's stock kernel.
//!
//! The kernel is Debian's, from the cache (`kharness kernel fetch debian`), or what
//! `KHARNESS_KERNEL` names, which must have Debian's modules. Without a kernel, without QEMU or
//! without busybox these tests fail and say what to do; none is skipped.
//!
//! `cargo nextest run -P quick` leaves this binary out.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod aarch64;
mod bad_host;
mod bad_kernel;
mod bench;
mod blind;
mod debugger;
mod false_green;
mod false_red;
mod forks;
mod gate;
mod inspection;
mod interruption;
mod landing;
mod machine;
mod matrix;
mod modules;
mod mutation;
mod nested;
mod processes;
mod project;
mod replay;
mod results;
mod rounds;
mod saved_boot;
mod shell;
mod statuses;
mod trees;
mod tutorial;
mod unbootable;
