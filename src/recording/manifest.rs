//! `recording.json`: what a recording holds.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use inspect::dump::file_hash;
use serde::{Deserialize, Serialize};

use super::RecordingError;

/// Version of the format that is read and written here.
const FORMAT: u32 = 1;

/// Name of the manifest in its directory.
pub(super) const FILE: &str = "recording.json";

/// A manifest has a few hundred bytes.
const LIMIT: u64 = 1 << 20;

/// The files of a recording, by their names.
pub(super) const KERNEL: &str = "kernel";
pub(super) const INITRAMFS: &str = "initramfs";
pub(super) const LOG: &str = "log";
pub(super) const CONSOLE: &str = "console";

/// The content of `recording.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the format.
    pub format: u32,
    /// Id of the test.
    pub test: String,
    /// First line of `qemu-system-x86_64 --version`.
    pub qemu: String,
    /// Kernel command line.
    pub cmdline: String,
    /// Bytes of RAM.
    pub memory: u64,
    /// Release of the kernel.
    pub release: String,
    /// The kernel's file with symbols, for a debugger; it need not be there any more.
    pub symbols: PathBuf,
    /// How long the machine lived, in milliseconds.
    pub duration_ms: u64,
    /// Its files.
    pub files: BTreeMap<String, Content>,
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Bytes.
    pub length: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// The version of the format that is written.
    pub const FORMAT: u32 = FORMAT;

    /// Reads the manifest in `dir`, and compares every file with what it says of it.
    ///
    /// # Errors
    /// When anything is missing, damaged, or of another version.
    pub fn read(dir: &Path) -> Result<Self, RecordingError> {
        let path = dir.join(FILE);
        let failed = |source| RecordingError::File { path: path.clone(), source };
        let mut text = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(LIMIT).read_to_end(&mut text))
            .map_err(failed)?;
        let manifest: Self = serde_json::from_slice(&text)
            .map_err(|source| RecordingError::Manifest { path: path.clone(), source })?;
        if manifest.format != FORMAT {
            return Err(RecordingError::Format { path, found: manifest.format, wanted: FORMAT });
        }
        // Names come from here and not from the manifest: it cannot lead elsewhere.
        for name in [KERNEL, INITRAMFS, LOG, CONSOLE] {
            manifest.check(dir, name)?;
        }
        Ok(manifest)
    }

    /// Writes it into `dir`, whole or not at all.
    ///
    /// # Errors
    /// When the host refuses.
    pub fn write(&self, dir: &Path) -> Result<(), RecordingError> {
        let (path, partial) = (dir.join(FILE), dir.join(format!("{FILE}.partial")));
        let text = serde_json::to_vec_pretty(self)
            .map_err(|source| RecordingError::Manifest { path: path.clone(), source })?;
        fs::write(&partial, text)
            .and_then(|()| fs::rename(&partial, &path))
            .map_err(|source| RecordingError::File { path, source })
    }

    fn check(&self, dir: &Path, name: &str) -> Result<(), RecordingError> {
        let path = dir.join(name);
        let damaged = |how: String| RecordingError::Damaged { path: path.clone(), how };
        let wanted = self
            .files
            .get(name)
            .ok_or_else(|| damaged("the manifest does not speak of it".into()))?;
        let found = Content::of(&path)?;
        if found.length != wanted.length {
            let (is, was) = (found.length, wanted.length);
            return Err(damaged(format!("it has {is} bytes, and {was} were recorded")));
        }
        if found.sha256 != wanted.sha256 {
            return Err(damaged("its content is not what was recorded (SHA-256 differs)".into()));
        }
        Ok(())
    }
}

impl Content {
    /// What is in the file `path`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(path: &Path) -> Result<Self, RecordingError> {
        let failed = |source| RecordingError::File { path: path.to_owned(), source };
        let length = fs::metadata(path).map_err(failed)?.len();
        let words = |error: inspect::dump::DumpError| std::io::Error::other(error.to_string());
        let sha256 = file_hash(path).map_err(|error| failed(words(error)))?;
        Ok(Self { length, sha256 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording() -> (tempfile::TempDir, Manifest) {
        let dir = tempfile::tempdir().unwrap();
        let files = [KERNEL, INITRAMFS, LOG, CONSOLE].map(|name| {
            let path = dir.path().join(name);
            fs::write(&path, name).unwrap();
            (name.to_owned(), Content::of(&path).unwrap())
        });
        let manifest = Manifest {
            format: FORMAT,
            test: "t".into(),
            qemu: "QEMU emulator version 7.2".into(),
            cmdline: "quiet".into(),
            memory: 1 << 28,
            release: "6.1".into(),
            symbols: "/vmlinux".into(),
            duration_ms: 1,
            files: files.into(),
        };
        manifest.write(dir.path()).unwrap();
        (dir, manifest)
    }

    #[test]
    fn a_recording_is_read_back_as_written() {
        let (dir, manifest) = recording();
        assert_eq!(Manifest::read(dir.path()).unwrap(), manifest);
    }

    #[test]
    fn each_file_that_is_missing_cut_or_changed_is_named() {
        for name in [KERNEL, INITRAMFS, LOG, CONSOLE] {
            let (dir, _) = recording();
            let path = dir.path().join(name);
            let refusal = || Manifest::read(dir.path()).unwrap_err().to_string();
            fs::write(&path, name.to_uppercase()).unwrap();
            assert!(refusal().contains(name) && refusal().contains("SHA-256"), "{}", refusal());
            fs::write(&path, &name[1..]).unwrap();
            assert!(refusal().contains("bytes, and"), "{}", refusal());
            fs::remove_file(&path).unwrap();
            assert!(refusal().contains(name), "{}", refusal());
        }
    }

    #[test]
    fn a_manifest_of_another_format_or_that_is_none_is_refused() {
        let (dir, manifest) = recording();
        Manifest { format: 9, ..manifest.clone() }.write(dir.path()).unwrap();
        let words = Manifest::read(dir.path()).unwrap_err().to_string();
        assert!(words.contains("format 9") && words.contains("format 1"), "{words}");
        fs::write(dir.path().join(FILE), "{\n\"format\": 1,\n\"tset\": 2}").unwrap();
        let words = Manifest::read(dir.path()).unwrap_err().to_string();
        assert!(words.contains("line 3") && words.contains(FILE), "{words}");
        let files = BTreeMap::new();
        Manifest { files, ..manifest }.write(dir.path()).unwrap();
        let words = Manifest::read(dir.path()).unwrap_err().to_string();
        assert!(words.contains("does not speak of it"), "{words}");
    }
}
