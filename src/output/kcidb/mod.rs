//! KCIDB, version 5 of its input schema: what KernelCI's database takes.
//! <https://github.com/kernelci/kcidb-io>, `kcidb_io/schema/v05_03.py`.

mod convert;
mod model;

pub use convert::{origin, write};
