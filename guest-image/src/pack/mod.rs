//! Packs programs of the host, with all that they need to run, into an archive. A guest of another
//! architecture has programs of its own.

mod elf;
mod error;
mod foreign;
mod host;
mod libraries;
mod program;
mod shell;

pub use error::PackError;
pub use foreign::foreign;
pub use program::{program, program_as};
pub use shell::shell;
