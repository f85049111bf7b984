//! The cache: fetched and built kernels, and what is derived from them.
//!
//! Layout under the cache's root:
//!
//! ```text
//! kernels/NAME/       one kernel: entry.json, and the tree of its files (boot/, lib/modules/)
//! sources/NAME/       kernel sources
//! toolchain/NAME/     compilers that the host does not have
//! build/NAME/         unfinished builds, and those of the user's own trees
//! vmlinux/HASH.elf    kernels unpacked from bzImages
//! locks/NAME          lock files; a lock is held only while something is written
//! staging/            what is being written; renamed into place when it is whole
//! ```

mod entry;
mod error;
mod lock;
mod root;
mod staging;

pub use entry::{Entry, Origin, now};
pub use error::CacheError;
pub use lock::Lock;
pub use root::Cache;
pub use staging::Staging;
