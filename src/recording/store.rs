//! Makes room for a recording, and keeps it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use vmm::Config;
use vmm::qemu::Recording;

use super::manifest::{CONSOLE, Content, INITRAMFS, KERNEL, LOG};
use super::{Manifest, RecordingError};

/// The directory of a recording, below that of its test.
pub(super) const DIRECTORY: &str = "recording";

/// Where a recording is made.
#[derive(Debug)]
pub struct Place {
    dir: PathBuf,
}

impl Place {
    /// What the kernel command line needs: the control channel goes over a serial line, and a debugger wants addresses as in
    /// the symbols.
    pub const CMDLINE: &str = "kharness.control=ttyS1 nokaslr";

    /// The recording in `dir`.
    pub fn of(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Makes one below `test`, the directory of a test, with what `config` boots: the kernel may be built anew before the
    /// recording is used.
    ///
    /// # Errors
    /// When the host refuses.
    pub fn prepare(test: &Path, config: &Config) -> Result<Self, RecordingError> {
        let dir = test.join(DIRECTORY);
        fs::create_dir_all(&dir).map_err(failed(&dir))?;
        let kernel = dir.join(KERNEL);
        link_or_copy(&config.kernel, &kernel).map_err(failed(&config.kernel))?;
        let initramfs = dir.join(INITRAMFS);
        join(&config.initramfs, &initramfs)?;
        Ok(Self { dir })
    }

    /// What is recorded: `config`, with the files of this directory.
    pub fn config(&self, config: &Config) -> Config {
        Config {
            kernel: self.dir.join(KERNEL),
            initramfs: vec![self.dir.join(INITRAMFS)],
            ..config.clone()
        }
    }

    /// The machine's own files.
    pub fn recording(&self) -> Recording {
        Recording { log: self.dir.join(LOG), console: self.dir.join(CONSOLE) }
    }

    /// The console's bytes.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn console(&self) -> Result<Vec<u8>, RecordingError> {
        let path = self.dir.join(CONSOLE);
        fs::read(&path).map_err(failed(&path))
    }
}

/// An uncompressed kernel with symbols has 150 MB, and linkers make new files.
fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    let _ = fs::remove_file(to);
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
}

/// Keeps the recording below `test`, of which `about` tells everything but the files.
///
/// # Errors
/// When the host refuses.
pub fn keep(test: &Path, about: Manifest) -> Result<(), RecordingError> {
    let dir = test.join(DIRECTORY);
    let files = [KERNEL, INITRAMFS, LOG, CONSOLE]
        .into_iter()
        .map(|name| Ok((name.to_owned(), Content::of(&dir.join(name))?)))
        .collect::<Result<BTreeMap<_, _>, RecordingError>>()?;
    Manifest { files, ..about }.write(&dir)
}

/// Removes the recording below `test`.
///
/// # Errors
/// When the host refuses.
pub fn forget(test: &Path) -> Result<(), RecordingError> {
    let dir = test.join(DIRECTORY);
    fs::remove_dir_all(&dir).map_err(failed(&dir))
}

fn join(parts: &[PathBuf], to: &Path) -> Result<(), RecordingError> {
    let mut joined = File::create(to).map_err(failed(to))?;
    for part in parts {
        File::open(part)
            .and_then(|mut part| io::copy(&mut part, &mut joined))
            .map_err(failed(part))?;
    }
    Ok(())
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> RecordingError + use<> {
    let path = path.to_owned();
    |source| RecordingError::File { path, source }
}
