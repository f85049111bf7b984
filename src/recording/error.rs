//! Why a recording is refused.

use std::io;
use std::path::PathBuf;

/// Why a recording is refused. Each is the fault of what was named on the command line.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// A file cannot be read, or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The host's words.
        source: io::Error,
    },
    /// There is none.
    #[error(
        "{} holds no recording: name the directory of a test, or of a run with one recorded test \
         (`kharness run --record`; those of tests that passed are kept with `--keep` only)",
        path.display()
    )]
    None {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There are several.
    #[error("{} holds several recordings, name one of them:\n  {}", path.display(), names(found))]
    Several {
        /// Where it was looked for.
        path: PathBuf,
        /// They.
        found: Vec<PathBuf>,
    },
    /// The manifest is none.
    #[error("{}: not the manifest of a recording: {source}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
    /// Another version of this program wrote it.
    #[error(
        "{}: format {found} is not the format {wanted} of this kharness; record the test again",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The one that is known here.
        wanted: u32,
    },
    /// A file is not what was recorded.
    #[error("{}: {how}; a replay of it would be of something else: record the test again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// In which way.
        how: String,
    },
    /// Another QEMU.
    #[error(
        "it was recorded with `{recorded}`, and this is `{found}`: only the same QEMU does it again \
         (KHARNESS_QEMU names one)"
    )]
    OtherQemu {
        /// What QEMU said of its version.
        recorded: String,
        /// What it says now.
        found: String,
    },
}

fn names(found: &[PathBuf]) -> String {
    let names: Vec<String> = found.iter().map(|path| path.display().to_string()).collect();
    names.join("\n  ")
}
