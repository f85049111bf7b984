//! Debian's stock kernel, without root and without installing it.

mod apt;
mod error;
mod fetch;

pub use apt::Apt;
pub use error::FetchError;
pub use fetch::fetch;
