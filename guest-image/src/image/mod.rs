//! Puts a guest's initramfs together: a base that runs share, and an overlay for one run.

mod base;
mod error;
mod overlay;
mod spec;
mod store;

pub use error::ImageError;
pub use spec::{GuestFile, Image, ImageSpec, Module, Source};
