//! What is in an archive, and its bytes.

use std::collections::BTreeMap;
use std::io::{self, Write};

use cpio::newc::{Builder, ModeFileType, trailer};
use sha2::{Digest, Sha256};

/// Why an entry cannot be in an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Not a path that an archive can hold.
    #[error("{path:?} is not an absolute path in the guest without `.` and `..`")]
    BadPath {
        /// The path.
        path: String,
    },
    /// Two entries want the same path.
    #[error("{path} is in the image twice, with different contents; give one of them another path")]
    Conflict {
        /// The path in the guest.
        path: String,
    },
    /// More than the format's 32-bit size.
    #[error("{path} is larger than 4 GiB, the most an initramfs can hold in one file")]
    TooLarge {
        /// The path in the guest.
        path: String,
    },
}

/// The entries of an initramfs. The same entries always give the same bytes: they are sorted by
/// path, owned by root, dated 1970, and numbered in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Archive {
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    permissions: u32,
    node: Node,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Directory,
    File(Vec<u8>),
    Symlink(String),
    CharDevice { major: u32, minor: u32 },
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Archive {
    /// No entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is in it: path to what stands for the entry, equal for equal entries only. Of a file that is a SHA-256.
    pub fn listing(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.entries.iter().map(|(path, Entry { permissions, node })| {
            let node = match node {
                Node::Directory => "directory".to_owned(),
                Node::File(bytes) => format!("file {}", hex(&Sha256::digest(bytes))),
                Node::Symlink(target) => format!("link {target}"),
                Node::CharDevice { major, minor } => format!("device {major}:{minor}"),
            };
            (format!("/{path}"), format!("{permissions:o} {node}"))
        })
    }

    /// Whether there is an entry at `path`.
    #[must_use]
    pub fn contains(&self, path: &str) -> bool {
        self.entries.contains_key(path.trim_start_matches('/'))
    }

    /// Adds a directory; its parents, too, where missing, with mode 0755.
    ///
    /// # Errors
    /// When `path` is not absolute, or something else has it.
    pub fn directory(&mut self, path: &str, permissions: u32) -> Result<(), ArchiveError> {
        self.add(path, permissions, Node::Directory)
    }

    /// Adds a regular file with these contents and permission bits.
    ///
    /// # Errors
    /// When `path` is not absolute, something else has it, or it is too large.
    pub fn file(
        &mut self,
        path: &str,
        permissions: u32,
        contents: Vec<u8>,
    ) -> Result<(), ArchiveError> {
        if u32::try_from(contents.len()).is_err() {
            return Err(ArchiveError::TooLarge { path: path.into() });
        }
        self.add(path, permissions, Node::File(contents))
    }

    /// Adds a symbolic link to `target`.
    ///
    /// # Errors
    /// When `path` is not absolute, or something else has it.
    pub fn symlink(&mut self, path: &str, target: &str) -> Result<(), ArchiveError> {
        self.add(path, 0o777, Node::Symlink(target.to_owned()))
    }

    /// Adds a character device.
    ///
    /// # Errors
    /// When `path` is not absolute, or something else has it.
    pub fn char_device(
        &mut self,
        path: &str,
        permissions: u32,
        (major, minor): (u32, u32),
    ) -> Result<(), ArchiveError> {
        self.add(path, permissions, Node::CharDevice { major, minor })
    }

    fn add(&mut self, path: &str, permissions: u32, node: Node) -> Result<(), ArchiveError> {
        let name = checked(path)?;
        for (at, _) in name.match_indices('/') {
            self.parent(&name[..at])?;
        }
        let entry = Entry { permissions: permissions & 0o7777, node };
        let node = &entry.node;
        match self.entries.get_mut(name) {
            // A directory made for its entries gets its own mode when that is stated.
            Some(there) if there.node == *node => there.permissions = entry.permissions,
            Some(_) => return Err(ArchiveError::Conflict { path: path.into() }),
            None => drop(self.entries.insert(name.to_owned(), entry)),
        }
        Ok(())
    }

    /// A symbolic link may be a parent: the kernel follows it.
    fn parent(&mut self, name: &str) -> Result<(), ArchiveError> {
        let parent = self
            .entries
            .entry(name.to_owned())
            .or_insert(Entry { permissions: 0o755, node: Node::Directory });
        match parent.node {
            Node::Directory | Node::Symlink(_) => Ok(()),
            Node::File(_) | Node::CharDevice { .. } => {
                Err(ArchiveError::Conflict { path: format!("/{name}") })
            }
        }
    }

    /// Writes the archive, trailer included, padded to the 4 bytes at which another may follow.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        for (number, (name, entry)) in (1..).zip(&self.entries) {
            entry.write(number, name, &mut out)?;
        }
        trailer(out)?;
        Ok(())
    }

    /// The archive's bytes, as [`Archive::write`] writes them.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing to a vector does not fail.
        let _ = self.write(&mut bytes);
        bytes
    }
}

impl Entry {
    fn write(&self, number: u32, name: &str, out: &mut impl Write) -> io::Result<()> {
        let (kind, contents): (_, &[u8]) = match &self.node {
            Node::Directory => (ModeFileType::Directory, &[]),
            Node::File(contents) => (ModeFileType::Regular, contents),
            Node::Symlink(target) => (ModeFileType::Symlink, target.as_bytes()),
            Node::CharDevice { .. } => (ModeFileType::Char, &[]),
        };
        let mut header =
            Builder::new(name).ino(number).nlink(1).mode(self.permissions).set_mode_file_type(kind);
        if let Node::CharDevice { major, minor } = self.node {
            header = header.rdev_major(major).rdev_minor(minor);
        }
        let length = u32::try_from(contents.len()).map_err(io::Error::other)?;
        let mut writer = header.write(&mut *out, length);
        writer.write_all(contents)?;
        writer.finish()?;
        Ok(())
    }
}

/// The name of `path` in an archive: the same, without the first slash.
fn checked(path: &str) -> Result<&str, ArchiveError> {
    let name = path.strip_prefix('/').unwrap_or_default();
    let odd = |part: &str| part.is_empty() || part == "." || part == "..";
    if name.split('/').any(odd) || name.contains('\0') {
        return Err(ArchiveError::BadPath { path: path.into() });
    }
    Ok(name)
}

#[cfg(test)]
mod tests;
