//! What QEMU writes into a machine's directory.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use super::QemuError;
use super::error::set_up;
use crate::Stop;

/// What QEMU writes into the machine's directory.
#[derive(Clone)]
pub(super) struct Files {
    dir: PathBuf,
    /// Its words.
    pub stderr: PathBuf,
    /// Resets of vCPUs, by cause.
    pub reset_log: PathBuf,
}

impl Files {
    /// The files in `dir`.
    pub fn in_dir(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            stderr: dir.join("qemu.stderr"),
            reset_log: dir.join("qemu.reset.log"),
        }
    }

    /// QEMU takes one initramfs; the kernel takes any number, one after the other.
    pub fn join_initramfs(&self, parts: &[PathBuf]) -> Result<Option<PathBuf>, QemuError> {
        let [first, rest @ ..] = parts else {
            return Ok(None);
        };
        if rest.is_empty() {
            return Ok(Some(first.clone()));
        }
        let joined = self.dir.join("initramfs");
        set_up("initramfs", concatenate(parts, &joined))?;
        Ok(Some(joined))
    }

    /// QEMU's own words, if it had any.
    pub fn complaint(&self) -> Option<String> {
        let text = fs::read_to_string(&self.stderr).ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn saw_triple_fault(&self) -> bool {
        fs::read(&self.reset_log).is_ok_and(|log| {
            log.windows(b"Triple fault".len()).any(|window| window == b"Triple fault")
        })
    }

    /// Why a machine stopped: what its monitor told, what was asked for, or how it died.
    pub fn judge(&self, asked: bool, told: Option<Stop>, status: io::Result<ExitStatus>) -> Stop {
        match told {
            Some(Stop::Reset) if self.saw_triple_fault() => Stop::TripleFault,
            Some(stop @ (Stop::PowerOff | Stop::Reset)) => stop,
            _ if asked => Stop::Asked,
            Some(stop) => stop,
            None => Stop::Internal(self.crash(status)),
        }
    }

    fn crash(&self, status: io::Result<ExitStatus>) -> String {
        let how = match status {
            Ok(status) => format!("QEMU ended by itself ({status})"),
            Err(error) => format!("QEMU cannot be waited for: {error}"),
        };
        match self.complaint() {
            Some(words) => format!("{how}: {words}"),
            None => how,
        }
    }
}

fn concatenate(parts: &[PathBuf], to: &Path) -> io::Result<()> {
    let mut joined = File::create(to)?;
    for part in parts {
        io::copy(&mut File::open(part)?, &mut joined)?;
    }
    Ok(())
}
