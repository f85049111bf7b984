//! What a guest is to hold.

use std::path::{Path, PathBuf};

use crate::image::{ImageError, base, overlay, store};
use crate::initramfs::Compression;

/// What goes into an image, beside the agent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageSpec {
    /// Programs of the host to pack with all that they need: a name is looked up in `PATH`, a
    /// path is taken as it is. A shell is always there. Names of the agent's own workloads
    /// ([`crate::agent::WORKLOADS`]) are taken as such.
    pub programs: Vec<String>,
    /// Files for this run.
    pub files: Vec<GuestFile>,
    /// Kernel modules on the host that the agent loads first, dependencies first: what the
    /// control channel needs.
    pub boot_modules: Vec<PathBuf>,
    /// Kernel modules for `load` requests.
    pub modules: Vec<Module>,
    /// Compression of both archives.
    pub compression: Compression,
}

/// A kernel module for `load` requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its name, without `.ko`; `-` and `_` are the same.
    pub name: String,
    /// Files on the host to load for it: dependencies first, itself last. They may be compressed.
    /// None if it is built into the kernel: then there is nothing to load.
    pub files: Vec<PathBuf>,
}

/// A file in the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestFile {
    /// Absolute path in the guest.
    pub path: String,
    /// Permission bits; those of the host's file if not stated, 0644 for bytes.
    pub mode: Option<u32>,
    /// Its contents.
    pub source: Source,
}

/// Where a file's contents come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file on the host. A directory is copied with all that is in it.
    Host(PathBuf),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// The archives of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Archives to give to the kernel, concatenated in this order; each is padded for that.
    pub initramfs: Vec<PathBuf>,
}

impl ImageSpec {
    /// Writes the image's archives: the base, with agent, boot modules and programs, into
    /// `cache`, under the hash of its contents; the overlay, with modules and files, into `run`.
    /// Both directories are made if missing.
    ///
    /// # Errors
    /// When something that goes in cannot be found or read, or an archive cannot be written.
    pub fn build(&self, cache: &Path, run: &Path) -> Result<Image, ImageError> {
        let base = store::cached(&base::archive(self)?, self.compression, cache)?;
        let overlay = overlay::archive(self)?;
        let mut initramfs = vec![base];
        if let Some(archive) = overlay {
            initramfs.push(store::overlay(&archive, self.compression, run)?);
        }
        Ok(Image { initramfs })
    }
}

#[cfg(test)]
mod tests;
