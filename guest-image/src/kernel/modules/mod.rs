//! Kernel modules: where they are, what they need, and their bytes.

mod error;
mod index;
mod info;
mod order;
mod tree;

pub use error::ModuleError;
pub use info::ModInfo;
pub use tree::{ModuleFile, ModuleTree};
