//! What a guest's disk is on the host.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};

/// Bytes of a sector, in which a disk's capacity is counted (virtio 1.2, section 5.2.4).
pub const SECTOR: u64 = 512;

/// Disks that a machine can have: the interrupt controller of ours has 24 lines, of which 16 are a
/// PC's and two those of other devices.
pub const MOST_DISKS: usize = 6;

/// Why a machine with disks is not saved: what its guest changed of them is in no file that stays.
pub(crate) const NOT_WITH_DISKS: &str = "a machine with disks cannot be saved";

/// A disk of the guest. Nothing that the guest writes outlives the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// What is on it at first.
    pub content: Content,
    /// Whether the guest may only read.
    pub readonly: bool,
}

/// What is on a disk at first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The bytes of a file, which stays as it is.
    Image(PathBuf),
    /// So many zeros.
    Blank(u64),
}

/// Why a file or a size is no disk.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The image cannot be read.
    #[error("disk image {}: {source}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// The host's words.
        source: io::Error,
    },
    /// The image is a directory, a pipe or a device.
    #[error("disk image {} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// No disk is of that size.
    #[error("{what} has {size} bytes: a disk has sectors of {SECTOR} bytes, and one at least")]
    Size {
        /// Which disk.
        what: String,
        /// Its size in bytes.
        size: u64,
    },
    /// The host has no memory for it.
    #[error("cannot set up a disk of {size} bytes: {source}")]
    Memory {
        /// Its size in bytes.
        size: u64,
        /// The host's words.
        source: io::Error,
    },
}

impl Content {
    /// Opens the image, if it is one, and gives the size in bytes.
    pub(crate) fn open(&self) -> Result<(Option<File>, u64), DiskError> {
        let (file, size, what) = match self {
            Self::Blank(size) => (None, *size, "a blank disk".to_owned()),
            Self::Image(path) => {
                let (file, size) = open(path)?;
                (Some(file), size, format!("disk image {}", path.display()))
            }
        };
        match size != 0 && size.is_multiple_of(SECTOR) {
            true => Ok((file, size)),
            false => Err(DiskError::Size { what, size }),
        }
    }
}

fn open(path: &Path) -> Result<(File, u64), DiskError> {
    let failed = |source| DiskError::Image { path: path.into(), source };
    // Before it is opened: opening a pipe waits for whoever writes to it.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(DiskError::NotAFile(path.into()));
    }
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    Ok((file, size))
}

/// A file of `size` zeros in memory that nobody can make larger or smaller.
pub(crate) fn zeros(size: u64) -> Result<OwnedFd, DiskError> {
    let failed = |source: rustix::io::Errno| DiskError::Memory { size, source: source.into() };
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = memfd_create("kharness-disk", flags).map_err(failed)?;
    ftruncate(&file, size).map_err(failed)?;
    let seals = SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&file, seals).map_err(failed)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn what_is_no_disk_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("odd.img");
        fs::write(&odd, [0; 513]).unwrap();
        let told = |content: Content| content.open().unwrap_err().to_string();
        assert!(told(Content::Image(dir.path().into())).contains("not a regular file"));
        assert!(told(Content::Image(odd)).contains("odd.img has 513 bytes"));
        assert!(told(Content::Image(dir.path().join("none"))).contains("No such file"));
        assert!(told(Content::Blank(0)).contains("0 bytes"));
    }

    #[test]
    fn memory_of_a_disk_cannot_grow() {
        let file = File::from(zeros(4096).unwrap());
        assert!(file.write_all_at(b"x", 4096).is_err());
        assert!(file.set_len(8192).is_err());
        assert!(file.write_all_at(b"x", 4095).is_ok());
    }
}
