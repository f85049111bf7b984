//! Guest RAM and registers to typed kernel state. Pure over a memory trait.
//!
//! [`dump::open`] opens a snapshot or a vmcore, [`Kernel::attach`] finds the kernel in it, and the methods
//! of [`Kernel`] give its state: [`Kernel::tasks`], [`Kernel::log`], [`Kernel::slabs`], ...
//! Nothing but guest memory is needed: symbols come from its kallsyms, types from its BTF.
#![forbid(unsafe_code)]

mod address;
mod bytes;
mod suggest;

pub mod dump;
pub mod expression;
pub mod kernel;
pub mod memory;
pub mod stack;
pub mod state;
pub mod symbols;
pub mod types;

pub use address::Address;
pub use kernel::{Error, Kernel};
