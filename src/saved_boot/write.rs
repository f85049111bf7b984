//! Writes a booted guest.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use inspect::dump::{FORMAT, Manifest, MemoryFile, Registers, StateFile};
use vmm::Saved;

use super::{About, SavedBootError, copy};
use crate::memory::Layout;

/// Names of the files.
pub(super) const MEMORY: &str = "memory.img";
pub(super) const MACHINE: &str = "state.machine";
pub(super) const HARNESS: &str = "state.harness";
pub(super) const CONSOLE: &str = "state.console";

/// A booted guest at rest.
pub struct Booted<'a> {
    /// What the harness knows of it.
    pub about: &'a About,
    /// Its memory, CPUs and devices.
    pub saved: &'a Saved,
    /// Registers of its vCPUs, for who looks into it.
    pub registers: &'a [Registers],
    /// Where its memory is.
    pub layout: Layout,
    /// What ran it.
    pub backend: vmm::Backend,
    /// What it has printed.
    pub console: &'a [u8],
}

/// Where the guest that a run boots is to be saved, and whether it was.
#[derive(Debug)]
pub struct Target {
    dir: PathBuf,
    outcome: Mutex<Option<Result<(), String>>>,
}

impl Target {
    /// The directory `dir`, which is made.
    ///
    /// # Errors
    /// When there is something in it, or the host refuses.
    pub fn new(dir: &Path) -> Result<Self, SavedBootError> {
        fs::create_dir_all(dir).map_err(failed(dir))?;
        let is_empty = fs::read_dir(dir).map_err(failed(dir))?.next().is_none();
        if !is_empty {
            return Err(SavedBootError::Occupied { path: dir.to_owned() });
        }
        Ok(Self { dir: dir.to_owned(), outcome: Mutex::default() })
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Saves a guest there, or takes note that there is none because of `booted`.
    pub fn take(&self, booted: Result<Booted, String>) {
        let outcome =
            booted.and_then(|booted| write(&self.dir, &booted).map_err(|e| e.to_string()));
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }

    /// What came of it.
    ///
    /// # Errors
    /// When no guest was saved; the words say why.
    pub fn outcome(&self) -> Result<(), String> {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone();
        outcome.unwrap_or_else(|| Err("no guest was booted that others could be copies of".into()))
    }
}

/// The manifest comes last: a directory with one is whole.
fn write(dir: &Path, booted: &Booted) -> Result<(), SavedBootError> {
    let memory = memory(dir, booted)?;
    let about = serde_json::to_vec_pretty(booted.about).map_err(io::Error::from);
    let about = about.map_err(failed(&dir.join(HARNESS)))?;
    let state = vec![
        state(dir, MACHINE, |file| {
            copy::copy(&booted.saved.state, file, booted.saved.state.metadata()?.len())
        })?,
        state(dir, HARNESS, |file| copy::write(file, &about))?,
        state(dir, CONSOLE, |file| copy::write(file, booted.console))?,
    ];
    let manifest = Manifest {
        format: FORMAT,
        arch: booted.layout.arch(),
        backend: booted.backend.to_string(),
        build_id: None,
        cmdline: booted.about.identity.cmdline.clone(),
        reason: Some("booted".into()),
        memory,
        cpus: booted.registers.to_vec(),
        state,
    };
    Ok(manifest.write(dir)?)
}

fn memory(dir: &Path, booted: &Booted) -> Result<MemoryFile, SavedBootError> {
    let path = dir.join(MEMORY);
    let file = File::create(&path).map_err(failed(&path))?;
    let memory = &booted.saved.memory;
    let length = memory.metadata().map_err(failed(&path))?.len();
    Ok(MemoryFile {
        file: MEMORY.to_owned(),
        length,
        sha256: Some(copy::copy(memory, &file, length).map_err(failed(&path))?),
        segments: booted.layout.segments(booted.backend, length),
    })
}

fn state(
    dir: &Path,
    name: &str,
    fill: impl FnOnce(&File) -> io::Result<String>,
) -> Result<StateFile, SavedBootError> {
    let path = dir.join(name);
    let sha256 = File::create(&path).and_then(|file| fill(&file)).map_err(failed(&path))?;
    Ok(StateFile { file: name.to_owned(), sha256 })
}

pub(super) fn failed(path: &Path) -> impl FnOnce(io::Error) -> SavedBootError + use<> {
    let path = path.to_owned();
    |source| SavedBootError::File { path, source }
}
