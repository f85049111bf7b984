//! Why a saved machine is refused.

use std::io;

/// Why the saved state of a machine is refused.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file cannot be read or written.
    #[error("the saved state cannot be {done}: {source}")]
    File {
        /// What was to be done.
        done: &'static str,
        /// The host's words.
        source: io::Error,
    },
    /// It is another file.
    #[error("this is not the state of a machine of ours: it does not start with \"kharnkvm\"")]
    Magic,
    /// Another version of this program wrote it.
    #[error(
        "the saved state has format {found}, and this program reads format {wanted}: boot anew"
    )]
    Version {
        /// Its version.
        found: u32,
        /// The one that is known here.
        wanted: u32,
    },
    /// It was cut off, or something was appended.
    #[error("the saved state should have {expected} bytes and has {found}: it is not whole")]
    Length {
        /// Bytes that its header promises.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// Some bytes are others than were written.
    #[error("the saved state is damaged: its checksum is {found:#010x}, not {expected:#010x}")]
    Checksum {
        /// The checksum in its header.
        expected: u32,
        /// That of its bytes.
        found: u32,
    },
    /// Its bytes mean nothing.
    #[error("the saved state cannot be understood: {0}")]
    Meaning(String),
    /// It is of another machine.
    #[error("the saved state is not for this machine: {0}")]
    Foreign(String),
    /// A machine that was put back is not as it was.
    #[error("the machine that was put back differs at offset {offset:#x} of its RAM")]
    Difference {
        /// Where.
        offset: u64,
    },
}
