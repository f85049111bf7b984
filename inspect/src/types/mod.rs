//! Types of the kernel's data, from the BTF that the kernel carries.

mod btf;
mod definition;
mod describe;
mod error;
mod kind;
mod members;

pub use btf::{Btf, TypeId};
pub use definition::{DefinedMember, Definition, Enumerator};
pub use error::TypeError;
pub use kind::Kind;
pub use members::{Member, Place};
