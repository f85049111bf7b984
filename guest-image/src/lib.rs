//! What runs inside a guest, and what builds it.
#![forbid(unsafe_code)]

pub mod agent;
pub mod foreign;
pub mod image;
pub mod initramfs;
pub mod pack;

pub mod kernel;
pub mod module;
