//! What QEMU notes of an execution, so that it can be done again to the instruction.
//!
//! Source: QEMU's docs/system/replay.rst and docs/devel/replay.rst. Everything that comes from outside of the guest is in the
//! log: clocks, and the bytes that serial lines were given. Instructions are counted (`-icount`), which allows one vCPU.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Whether a machine's execution is recorded, or a recorded one done again.
#[derive(Debug, Clone, Copy)]
pub(super) enum Execution<'a> {
    /// Neither: as fast as it goes.
    Free,
    /// It is noted in the log.
    Recorded(&'a Recording),
    /// It is the one in the log.
    Replayed(&'a Recording),
}

/// The files of a recorded execution.
#[derive(Debug, Clone)]
pub struct Recording {
    /// QEMU's log.
    pub log: PathBuf,
    /// All bytes of the console.
    pub console: PathBuf,
}

impl<'a> Execution<'a> {
    /// Its recording, if it has one.
    pub fn recording(self) -> Option<&'a Recording> {
        match self {
            Self::Free => None,
            Self::Recorded(recording) | Self::Replayed(recording) => Some(recording),
        }
    }

    /// Argument of `-icount`.
    pub fn icount(self) -> Option<OsString> {
        let (mode, recording) = match self {
            Self::Free => return None,
            Self::Recorded(recording) => ("record", recording),
            Self::Replayed(recording) => ("replay", recording),
        };
        let mut option = OsString::from(format!("shift=auto,rr={mode},rrfile="));
        option.push(escaped(&recording.log));
        Some(option)
    }
}

/// A path in an option of QEMU, in which a comma is written twice.
pub(super) fn escaped(path: &Path) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let double = |byte: &u8| if *byte == b',' { vec![b','; 2] } else { vec![*byte] };
    OsString::from_vec(path.as_os_str().as_bytes().iter().flat_map(double).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_commas_stays_one_value_of_the_option() {
        let recording = Recording { log: "/a,b/log".into(), console: PathBuf::new() };
        let icount = Execution::Replayed(&recording).icount().unwrap();
        assert_eq!(icount, "shift=auto,rr=replay,rrfile=/a,,b/log");
        assert_eq!(Execution::Free.icount(), None);
    }
}
