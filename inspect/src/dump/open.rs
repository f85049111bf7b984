//! Opens whatever was saved of a guest.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Arch, DumpError, Manifest, Registers, VmcoreInfo, elf, kdump};
use crate::memory::{ByteSource, FileSource, MemoryImage, PhysicalMemory, Segment};

/// A stopped guest: memory and registers. Filled in by [`open`], or by whoever holds a machine.
#[derive(Debug, Clone)]
pub struct Dump {
    /// Architecture.
    pub arch: Arch,
    /// Guest-physical memory.
    pub memory: Arc<dyn PhysicalMemory>,
    /// Registers, one entry a vCPU; may be empty.
    pub cpus: Vec<Registers>,
    /// VMCOREINFO, where the dump carries it beside memory.
    pub vmcoreinfo: Option<VmcoreInfo>,
    /// Why the guest was stopped, where the dump says so.
    pub reason: Option<String>,
}

/// Opens a snapshot directory, an ELF vmcore, or a compressed kdump file.
///
/// # Errors
/// [`DumpError`], with the file and the offset.
pub fn open(path: &Path) -> Result<Dump, DumpError> {
    if path.is_dir() {
        return open_snapshot(path);
    }
    let source = open_file(path)?;
    let mut start = [0; 16];
    let length = crate::bytes::index(source.length()).min(start.len());
    read_start(path, &source, &mut start[..length])?;
    if start.starts_with(elf::MAGIC) {
        return open_elf(path, source);
    }
    if start.starts_with(kdump::SIGNATURE) {
        return kdump::open(path, source);
    }
    if start.starts_with(b"makedumpfile") {
        return Err(DumpError::Flattened { path: path.into() });
    }
    Err(DumpError::Unknown { path: path.into(), found: start[..length].escape_ascii().to_string() })
}

/// A raw RAM file with its memory map and registers.
///
/// # Errors
/// When the file cannot be opened or the segments do not fit it.
pub fn open_raw(
    path: &Path,
    arch: Arch,
    segments: Vec<Segment>,
    cpus: Vec<Registers>,
) -> Result<Dump, DumpError> {
    Ok(Dump {
        arch,
        memory: image(path, open_file(path)?, segments)?,
        cpus,
        vmcoreinfo: None,
        reason: None,
    })
}

fn open_snapshot(directory: &Path) -> Result<Dump, DumpError> {
    let manifest = Manifest::read(directory)?;
    let path = manifest.memory_path(directory);
    let dump = open_raw(&path, manifest.arch, manifest.memory.segments, manifest.cpus)?;
    Ok(Dump { reason: manifest.reason, ..dump })
}

fn open_elf(path: &Path, source: FileSource) -> Result<Dump, DumpError> {
    let core = elf::read(path, &source)?;
    Ok(Dump {
        arch: core.arch,
        memory: image(path, source, core.segments)?,
        cpus: core.cpus,
        vmcoreinfo: core.vmcoreinfo,
        reason: None,
    })
}

fn open_file(path: &Path) -> Result<FileSource, DumpError> {
    FileSource::open(path).map_err(|source| DumpError::Io {
        action: "open",
        path: path.into(),
        source,
    })
}

fn read_start(path: &Path, source: &FileSource, start: &mut [u8]) -> Result<(), DumpError> {
    source.read_at(0, start).map_err(|source| DumpError::Io {
        action: "read",
        path: path.into(),
        source,
    })
}

fn image(
    path: &Path,
    source: FileSource,
    segments: Vec<Segment>,
) -> Result<Arc<dyn PhysicalMemory>, DumpError> {
    let failed = |source| DumpError::Memory { path: PathBuf::from(path), source };
    Ok(Arc::new(MemoryImage::new(source, segments).map_err(failed)?))
}
