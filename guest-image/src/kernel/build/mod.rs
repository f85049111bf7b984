//! Kernels built for testing: a profile's configuration over `allnoconfig`, from any source.
//!
//! [`build`] goes from a [`Request`] to an entry in the cache. Its steps, in order: collect the
//! configuration [`fragment`]s, get the [`source`], find the compilers, [`configure`] and check that
//! each requested symbol was honoured, run [`make`], check that Rust and C agree on the
//! [`layout`] of every structure, and [`install`] into the cache.

mod builder;
mod configure;
mod error;
mod fragment;
mod install;
mod kconfig;
mod layout;
mod make;
mod profile;
mod source;
mod steps;

pub use builder::{Request, build};
pub use error::BuildError;
pub(crate) use make::FOREIGN;
pub use profile::{PROFILES, Profile};
pub use source::Source;
