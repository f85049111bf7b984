//! Writes a stopped guest as a snapshot directory.

use std::fs::{self, File};
use std::path::Path;

use super::manifest::{FORMAT, Manifest, MemoryFile};
use super::sparse::copy_range;
use super::{Dump, DumpError};
use crate::Address;
use crate::memory::Segment;

/// Name of the memory file.
const MEMORY: &str = "memory.img";

/// What a manifest says beside memory and registers.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// What ran the guest: `kvm`, `qemu-kvm`, `qemu-tcg`.
    pub backend: String,
    /// Kernel command line.
    pub cmdline: String,
}

/// A snapshot that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Its manifest.
    pub manifest: Manifest,
    /// Bytes of memory that the disk had to take.
    pub written: u64,
}

/// Writes `dump` into `directory`, which is made, without backend state: it can be looked into, not
/// resumed. The manifest comes last, so a directory with one is whole.
///
/// # Errors
/// When memory cannot be read or a file not written; nothing is left then.
pub fn save(directory: &Path, dump: &Dump, about: &About) -> Result<Saved, DumpError> {
    let saved = save_into(directory, dump, about);
    if saved.is_err() {
        // What is left of it is of no use; the error of the removal adds nothing.
        let _ = fs::remove_dir_all(directory);
    }
    saved
}

fn save_into(directory: &Path, dump: &Dump, about: &About) -> Result<Saved, DumpError> {
    let path = directory.join(MEMORY);
    let failed = |source| DumpError::Io { action: "write", path: path.clone(), source };
    fs::create_dir_all(directory).map_err(failed)?;
    let file = File::create(&path).map_err(failed)?;
    let segments = packed(dump);
    let mut written = 0;
    for (range, segment) in dump.memory.ranges().iter().zip(&segments) {
        written += copy_range(&file, &*dump.memory, range, segment.offset.0)
            .map_err(|error| error.at(&path))?;
    }
    let length = segments.last().map_or(0, |last| last.offset.0 + last.length.0);
    file.set_len(length).map_err(failed)?;
    let manifest = Manifest {
        format: FORMAT,
        arch: dump.arch,
        backend: about.backend.clone(),
        build_id: None,
        cmdline: about.cmdline.clone(),
        reason: dump.reason.clone(),
        memory: MemoryFile { file: MEMORY.to_owned(), length, sha256: None, segments },
        cpus: dump.cpus.clone(),
        state: Vec::new(),
    };
    manifest.write(directory)?;
    Ok(Saved { manifest, written })
}

/// The ranges of RAM, one behind the other in the file.
fn packed(dump: &Dump) -> Vec<Segment> {
    let mut offset = 0;
    let ranges = dump.memory.ranges().iter();
    ranges
        .map(|range| {
            let length = range.end - range.start;
            let segment = Segment {
                start: Address(range.start),
                length: Address(length),
                offset: Address(offset),
            };
            offset += length;
            segment
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dump::{Arch, open};
    use crate::memory::{MemoryImage, x86_segments};

    #[test]
    fn a_saved_guest_is_read_back_with_its_hole_its_registers_and_its_reason() {
        let mut bytes = vec![0; 0x8000];
        bytes[0x7000..0x7004].copy_from_slice(b"high");
        let memory = MemoryImage::new(bytes, x86_segments(0x8000, 0x4000)).unwrap();
        let dump = Dump {
            arch: Arch::X86_64,
            memory: Arc::new(memory),
            cpus: vec![[("RIP", 0x1234)].into_iter().collect()],
            vmcoreinfo: None,
            reason: Some("panic".into()),
        };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("snapshot");
        let saved = save(&path, &dump, &About::default()).unwrap();
        assert_eq!(saved.written, 4096);
        let back = open(&path).unwrap();
        assert_eq!(back.memory.ranges(), dump.memory.ranges());
        assert_eq!(back.cpus, dump.cpus);
        assert_eq!(back.reason.as_deref(), Some("panic"));
        let mut four = [0; 4];
        back.memory.read((1 << 32) + 0x3000, &mut four).unwrap();
        assert_eq!(&four, b"high");
    }
}
