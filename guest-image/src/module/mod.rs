//! Test modules: found beside the scenarios that load them, built against a kernel, and kept.
//!
//! A module is a directory: `NAME/NAME.rs` (with C files beside it, if it needs a C half), whose
//! build file is generated, or C with a `Kbuild` or `Makefile` of its own.

mod builder;
mod compilers;
mod error;
mod identity;
mod kbuild;
mod output;
mod source;
mod support;
mod template;

pub use builder::{Built, build};
pub use error::ModuleBuildError;
pub use source::{ModuleSource, all, find};
pub use template::{Created, create};
