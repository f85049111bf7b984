//! Packs programs of the host, with all that they need to run, into an archive.

mod elf;
mod error;
mod host;
mod libraries;
mod program;
mod shell;

pub use error::PackError;
pub use program::program;
pub use shell::shell;
