//! Which QEMU emulates a machine.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use guest_image::kernel::Cache;
use guest_image::kernel::toolchain::unpacked_qemu;
use vmm::Model;
use vmm::qemu::{QemuError, Version};

use crate::scenario::model::Arch;

/// The program for guests of `arch`, and the variable that names another.
fn program(arch: Arch) -> (&'static str, &'static str) {
    match arch {
        Arch::X86_64 => ("qemu-system-x86_64", "KHARNESS_QEMU"),
        Arch::Aarch64 => ("qemu-system-aarch64", "KHARNESS_QEMU_AARCH64"),
    }
}

/// A QEMU that has `model`: the one that the environment names; else the first on `PATH`, or the one
/// unpacked into the cache, that is new enough.
///
/// # Errors
/// When there is none; the message tells what to install.
pub fn find(arch: Arch, model: Model) -> Result<PathBuf, QemuError> {
    let (usual, variable) = program(arch);
    let named = env::var(variable).ok();
    let program = named.clone().unwrap_or_else(|| usual.to_owned());
    let mut candidates: Vec<PathBuf> = on_path(&program).collect();
    if named.is_none() {
        candidates.extend(Cache::open().ok().and_then(|cache| unpacked_qemu(&cache, usual)));
    }
    let oldest = Version::oldest_with(model);
    let Some(first) = candidates.first().cloned() else {
        let program = named.map_or(program, |named| format!("{named} ({variable})"));
        return Err(QemuError::Missing { program });
    };
    // Every QEMU that can be had has the plain machines: no need to ask.
    if model.fixed().is_none() {
        return Ok(first);
    }
    let fits = |path: &PathBuf| version(path).is_some_and(|found| found >= oldest);
    candidates.into_iter().find(fits).ok_or_else(|| {
        let found = version(&first).map_or("of unknown version".to_owned(), |v| v.to_string());
        QemuError::TooOld { model, oldest, program: usual.to_owned(), found }
    })
}

fn on_path(program: &str) -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // An absolute program replaces the directory that it is joined to.
    let found: Vec<PathBuf> = env::split_paths(&path).map(|dir| dir.join(program)).collect();
    found.into_iter().filter(|candidate| candidate.is_file())
}

/// QEMU for guests of this host's kind.
///
/// # Errors
/// When there is none; the message tells what to install.
pub fn of_pcs() -> Result<PathBuf, QemuError> {
    find(Arch::X86_64, Model::Pc)
}

/// What `program` says of its version; nothing where it cannot be asked.
pub fn banner(program: &Path) -> String {
    let output = Command::new(program).arg("--version").output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}

/// Its version, asked for once in a run.
fn version(program: &Path) -> Option<Version> {
    static KNOWN: Mutex<BTreeMap<PathBuf, Option<Version>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    *known.entry(program.to_owned()).or_insert_with(|| Version::parse(&banner(program)))
}
