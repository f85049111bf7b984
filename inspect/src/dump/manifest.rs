//! `manifest.json`: what a snapshot directory holds.
//!
//! A snapshot directory has this manifest, `memory.img` (guest RAM, sparse) and the backend's own
//! `state.*` files. Whoever writes snapshots fills in a [`Manifest`]; whoever reads them checks it with
//! [`Manifest::read`] before a byte of the other files is used.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Arch, DumpError, Registers};
use crate::memory::Segment;

/// Version of the format that this crate reads and writes.
pub const FORMAT: u32 = 1;
/// Name of the manifest in its directory.
const FILE: &str = "manifest.json";
/// A manifest of a machine with a thousand vCPUs is under a megabyte.
const LIMIT: u64 = 16 << 20;

/// The content of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the format: [`FORMAT`].
    pub format: u32,
    /// Architecture of the guest.
    pub arch: Arch,
    /// What ran it: `kvm`, `qemu-kvm`, `qemu-tcg`.
    pub backend: String,
    /// Build-id of the kernel, hexadecimal, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// Kernel command line.
    #[serde(default)]
    pub cmdline: String,
    /// Why the guest was stopped, for the summary: `asked`, `panic`, `timeout`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Guest RAM.
    pub memory: MemoryFile,
    /// Registers, one entry a vCPU, in the order of their numbers.
    pub cpus: Vec<Registers>,
    /// State of the backend, opaque to inspection.
    #[serde(default)]
    pub state: Vec<StateFile>,
}

/// The file with guest RAM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryFile {
    /// File name inside of the directory.
    pub file: String,
    /// Its length in bytes.
    pub length: u64,
    /// SHA-256 of the whole file, hexadecimal; absent where hashing would cost more than it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Which guest-physical ranges are where in the file.
    pub segments: Vec<Segment>,
}

/// One file of backend state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateFile {
    /// File name inside of the directory, `state.*`.
    pub file: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// Reads the manifest of the snapshot in `directory` and checks that it fits the files there.
    ///
    /// # Errors
    /// When it is missing, not valid, of another version, names a file outside of its directory, or
    /// when the memory file has another length.
    pub fn read(directory: &Path) -> Result<Self, DumpError> {
        let path = directory.join(FILE);
        let bytes = read_bounded(&path)?;
        let manifest: Self = serde_json::from_slice(&bytes)
            .map_err(|source| DumpError::Manifest { path: path.clone(), source })?;
        manifest.check(&path)?;
        manifest.check_memory_length(directory)?;
        Ok(manifest)
    }

    /// Writes the manifest into `directory`, whole or not at all.
    ///
    /// # Errors
    /// When the host refuses.
    pub fn write(&self, directory: &Path) -> Result<(), DumpError> {
        let path = directory.join(FILE);
        let partial = directory.join(format!("{FILE}.partial"));
        let failed = |source| DumpError::Io { action: "write", path: path.clone(), source };
        let text = serde_json::to_vec_pretty(self).map_err(|source| failed(source.into()))?;
        std::fs::write(&partial, text)
            .and_then(|()| std::fs::rename(&partial, &path))
            .map_err(failed)
    }

    /// The memory file's path.
    #[must_use]
    pub fn memory_path(&self, directory: &Path) -> PathBuf {
        directory.join(&self.memory.file)
    }

    /// Compares every hash that the manifest states with its file. Reads all of guest RAM.
    ///
    /// # Errors
    /// For the first file whose content is not what was saved.
    pub fn verify(&self, directory: &Path) -> Result<(), DumpError> {
        let memory = self.memory.sha256.as_ref().map(|hash| (&self.memory.file, hash));
        let state = self.state.iter().map(|state| (&state.file, &state.sha256));
        for (file, hash) in memory.into_iter().chain(state) {
            let path = directory.join(file);
            if file_hash(&path)? != *hash {
                let reason = "its content is not what was saved (SHA-256 differs); take it again";
                return Err(snapshot(&path, reason.to_owned()));
            }
        }
        Ok(())
    }

    fn check(&self, path: &Path) -> Result<(), DumpError> {
        if self.format != FORMAT {
            let reason = format!(
                "format {} is not the format {FORMAT} of this kharness; take the snapshot again",
                self.format
            );
            return Err(snapshot(path, reason));
        }
        let files = self.state.iter().map(|state| &state.file);
        match files.chain([&self.memory.file]).find(|file| !is_plain(file)) {
            Some(file) => {
                let reason =
                    format!("`{file}` is not the plain name of a file beside the manifest");
                Err(snapshot(path, reason))
            }
            None => Ok(()),
        }
    }

    fn check_memory_length(&self, directory: &Path) -> Result<(), DumpError> {
        let path = self.memory_path(directory);
        let found = std::fs::metadata(&path).map_err(|source| DumpError::Io {
            action: "open",
            path: path.clone(),
            source,
        })?;
        if found.len() == self.memory.length {
            return Ok(());
        }
        let reason = format!(
            "has {:#x} bytes, but the manifest says {:#x}: is it truncated?",
            found.len(),
            self.memory.length
        );
        Err(snapshot(&path, reason))
    }
}

fn snapshot(path: &Path, reason: String) -> DumpError {
    DumpError::Snapshot { path: path.to_owned(), reason }
}

fn is_plain(file: &str) -> bool {
    !matches!(file, "" | "." | "..") && !file.contains(['/', '\0'])
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, DumpError> {
    let failed = |source| DumpError::Io { action: "read", path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(LIMIT).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// SHA-256 of a file, hexadecimal, for [`MemoryFile`] and [`StateFile`].
///
/// # Errors
/// When the file cannot be read.
pub fn file_hash(path: &Path) -> Result<String, DumpError> {
    let failed = |source| DumpError::Io { action: "read", path: path.to_owned(), source };
    let mut hasher = Sha256::new();
    let mut file = File::open(path).map_err(failed)?;
    std::io::copy(&mut file, &mut hasher).map_err(failed)?;
    let digest = hasher.finalize();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Address;

    fn saved() -> (tempfile::TempDir, Manifest) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("memory.img"), [7; 4096]).unwrap();
        std::fs::write(directory.path().join("state.bin"), b"state").unwrap();
        let manifest = Manifest {
            format: FORMAT,
            arch: Arch::X86_64,
            backend: "kvm".into(),
            build_id: Some("abcd".into()),
            cmdline: "console=ttyS0".into(),
            reason: None,
            memory: MemoryFile {
                file: "memory.img".into(),
                length: 4096,
                sha256: Some(file_hash(&directory.path().join("memory.img")).unwrap()),
                segments: vec![Segment {
                    start: Address(0),
                    length: Address(4096),
                    offset: Address(0),
                }],
            },
            cpus: vec![[("rip", u64::MAX)].into_iter().collect()],
            state: vec![StateFile {
                file: "state.bin".into(),
                sha256: file_hash(&directory.path().join("state.bin")).unwrap(),
            }],
        };
        manifest.write(directory.path()).unwrap();
        (directory, manifest)
    }

    #[test]
    fn a_manifest_is_read_back_as_written() {
        let (directory, manifest) = saved();
        assert_eq!(Manifest::read(directory.path()).unwrap(), manifest);
        manifest.verify(directory.path()).unwrap();
    }

    #[test]
    fn a_changed_file_is_found_by_its_hash() {
        let (directory, manifest) = saved();
        std::fs::write(directory.path().join("state.bin"), b"stale").unwrap();
        let error = manifest.verify(directory.path()).unwrap_err().to_string();
        assert!(error.contains("state.bin"), "{error}");
    }

    #[test]
    fn a_truncated_memory_file_is_refused() {
        let (directory, _) = saved();
        std::fs::write(directory.path().join("memory.img"), [7; 4095]).unwrap();
        let error = Manifest::read(directory.path()).unwrap_err().to_string();
        assert!(error.contains("0xfff bytes"), "{error}");
    }

    #[test]
    fn a_file_name_that_leads_out_of_the_directory_is_refused() {
        let (directory, mut manifest) = saved();
        manifest.memory.file = "../memory.img".into();
        manifest.write(directory.path()).unwrap();
        assert!(Manifest::read(directory.path()).is_err());
    }

    #[test]
    fn another_format_and_an_unknown_key_are_refused() {
        let (directory, mut manifest) = saved();
        manifest.format = 99;
        manifest.write(directory.path()).unwrap();
        let error = Manifest::read(directory.path()).unwrap_err().to_string();
        assert!(error.contains("format 99"), "{error}");
        std::fs::write(directory.path().join("manifest.json"), b"{\"formt\": 1}").unwrap();
        let error = Manifest::read(directory.path()).unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
    }
}
