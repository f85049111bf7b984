//! Why a program cannot be packed.

use std::io;
use std::path::PathBuf;

use crate::initramfs::ArchiveError;
use crate::kernel::Arch;

/// Why a program cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The program is nowhere on the host.
    #[error(
        "program {name:?} is not on this host (looked in {searched}); install the package that has \
         it (Debian: `apt-get install {name}`, or find the package with `apt-file search \
         bin/{name}`), or state its path"
    )]
    NotFound {
        /// As asked for.
        name: String,
        /// Directories looked in, as in `PATH`.
        searched: String,
    },
    /// Something that the program needs is not on the host.
    #[error("{needed_by} needs {needed}, which is not on this host: {hint}")]
    Missing {
        /// Program, script or library on the host.
        needed_by: PathBuf,
        /// Library or interpreter that it names.
        needed: String,
        /// What to do.
        hint: &'static str,
    },
    /// A program of the host for a guest that cannot run it.
    #[error(
        "{name:?} is no command of busybox, and programs of this host do not run on {arch}: put one that \
         was built for it into the guest with `files`, or state `requires: {{arch: [{host}]}}`"
    )]
    Foreign {
        /// As asked for.
        name: String,
        /// The guest's architecture.
        arch: Arch,
        /// The host's, as scenarios name it.
        host: &'static str,
    },
    /// A file cannot be read.
    #[error("cannot read {path} to pack it: {source}")]
    Read {
        /// File on the host.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not something that a kernel runs.
    #[error("{path} is not a program: {reason}")]
    NotAProgram {
        /// File on the host.
        path: PathBuf,
        /// What it is instead.
        reason: String,
    },
    /// An entry does not fit into the archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}
