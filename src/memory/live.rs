//! The memory of a guest that runs: a test says where it is while it lasts, `kharness inspect --live` reads it.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inspect::dump::{Arch, Dump};
use inspect::memory::{ByteSource, FileSource, MemoryImage, Segment};
use serde::{Deserialize, Serialize};
use vmm::{Machine, Whereabouts};
use walkdir::WalkDir;

use super::guest::Layout;

/// Name of the file in the directory of a test.
const NAME: &str = "live.json";
/// Directories below that of a run that are looked into.
const DEPTH: usize = 8;

/// Where the memory of a running guest is.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Where {
    arch: Arch,
    /// The process that has the memory.
    pid: u32,
    place: Place,
    size: u64,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Place {
    /// A file descriptor of the process.
    Descriptor(i32),
    /// An address in the process.
    Address(u64),
}

/// Says where the memory of a guest is, until it is dropped.
pub struct Live {
    path: PathBuf,
    /// Keeps the descriptor that was announced.
    _file: Option<File>,
}

impl Live {
    /// Announces the memory of `machine` in `dir`. Where that cannot be done, the guest cannot be looked at
    /// while it runs, and that is all.
    pub fn announce(dir: &Path, machine: &dyn Machine, layout: Layout) -> Option<Self> {
        let ram = machine.ram();
        let size = ram.size();
        let (pid, place, file) = match ram.whereabouts().ok()? {
            Whereabouts::File(file) => {
                (std::process::id(), Place::Descriptor(file.as_raw_fd()), Some(file))
            }
            Whereabouts::Process { pid, address } => (pid, Place::Address(address), None),
        };
        let segments = layout.segments(machine.backend(), size);
        let text =
            serde_json::to_vec(&Where { arch: layout.arch(), pid, place, size, segments }).ok()?;
        let path = dir.join(NAME);
        fs::write(&path, text).ok()?;
        Some(Self { path, _file: file })
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // A file that stays names a process that is gone, which the reader says.
        let _ = fs::remove_file(&self.path);
    }
}

/// Opens the memory of the guest that runs in the directory of a run or of a test.
///
/// # Errors
/// When none runs there, several do, or its memory cannot be read.
pub fn open(path: &Path) -> Result<Dump, String> {
    let announced = announced(path)?;
    let text = fs::read(&announced).map_err(|error| failed(&announced, &error))?;
    let found: Where = serde_json::from_slice(&text).map_err(|error| failed(&announced, &error))?;
    let source = Source::open(&found).map_err(|error| failed(&announced, &error))?;
    let memory = MemoryImage::new(source, found.segments).map_err(|error| error.to_string())?;
    Ok(Dump {
        arch: found.arch,
        memory: Arc::new(memory),
        cpus: Vec::new(),
        vmcoreinfo: None,
        reason: Some("not stopped: it runs on while it is looked at".to_owned()),
    })
}

fn failed(path: &Path, error: &dyn std::error::Error) -> String {
    format!("`{}`: the guest's memory cannot be read: {error}", path.display())
}

fn announced(path: &Path) -> Result<PathBuf, String> {
    let entries = WalkDir::new(path).max_depth(DEPTH).sort_by_file_name().into_iter().flatten();
    let found: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name() == NAME)
        .map(walkdir::DirEntry::into_path)
        .collect();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(format!(
            "no guest runs in `{}`: give the directory of a run that has not ended",
            path.display()
        )),
        several => {
            let names: Vec<String> = several
                .iter()
                .filter_map(|path| Some(format!("  {}", path.parent()?.display())))
                .collect();
            Err(format!("{} guests run, name one:\n{}", names.len(), names.join("\n")))
        }
    }
}

/// Memory of another process.
#[derive(Debug)]
enum Source {
    File(FileSource),
    Process { memory: File, address: u64, size: u64 },
}

impl Source {
    fn open(found: &Where) -> io::Result<Self> {
        let pid = found.pid;
        match found.place {
            Place::Descriptor(number) => {
                let file = File::open(format!("/proc/{pid}/fd/{number}"))?;
                Ok(Self::File(FileSource::new(file)?))
            }
            Place::Address(address) => {
                let memory = File::open(format!("/proc/{pid}/mem"))?;
                Ok(Self::Process { memory, address, size: found.size })
            }
        }
    }
}

impl ByteSource for Source {
    fn length(&self) -> u64 {
        match self {
            Self::File(file) => file.length(),
            Self::Process { size, .. } => *size,
        }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self {
            Self::File(file) => file.read_at(offset, buffer),
            Self::Process { memory, address, .. } => {
                memory.read_exact_at(buffer, address.saturating_add(offset))
            }
        }
    }

    fn next_data(&self, from: u64) -> Option<std::ops::Range<u64>> {
        match self {
            Self::File(file) => file.next_data(from),
            Self::Process { size, .. } => (from < *size).then_some(from..*size),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_where_no_guest_runs_is_said_to_be_one() {
        let dir = tempfile::tempdir().unwrap();
        assert!(open(dir.path()).unwrap_err().contains("no guest runs"));
        fs::write(dir.path().join(NAME), "{}").unwrap();
        assert!(open(dir.path()).unwrap_err().contains("missing field"));
    }

    #[test]
    fn a_guest_that_is_gone_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let gone = Where {
            arch: Arch::X86_64,
            pid: u32::MAX,
            place: Place::Descriptor(3),
            size: 4096,
            segments: Vec::new(),
        };
        fs::write(dir.path().join(NAME), serde_json::to_vec(&gone).unwrap()).unwrap();
        assert!(open(dir.path()).unwrap_err().contains("cannot be read"));
    }
}
