//! A kernel in guest memory: found, with its symbols and types, and typed access to its data.

mod access;
mod attach;
mod error;
mod export;
mod image;
mod list;
mod maple;
mod module_types;
mod modules;
mod page;
mod page_array;
mod per_cpu;
mod tree;

pub use access::Field;
pub use attach::Kernel;
pub use error::Error;
pub use list::{Broke, Walk};
pub use modules::LoadedModule;
pub use page_array::PageArray;
