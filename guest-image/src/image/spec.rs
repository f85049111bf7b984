//! What a guest is to hold.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use agent_protocol::layout;

use crate::foreign::Foreign;
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
    /// Programs of the guest's architecture, when it is not this host's: then none of the host's
    /// serves.
    pub foreign: Option<Foreign>,
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
    /// A program of the host, which brings its shared libraries.
    Program(PathBuf),
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
    /// What holds all of both; none where they put different things in one place.
    #[must_use]
    pub fn join(&self, other: &Self) -> Option<Self> {
        let boots_alike =
            self.boot_modules == other.boot_modules && self.compression == other.compression;
        let boots_alike = boots_alike && self.foreign == other.foreign;
        let mut joined = self.clone();
        for program in &other.programs {
            if !joined.programs.contains(program) {
                joined.programs.push(program.clone());
            }
        }
        let agree = boots_alike
            && merge(&mut joined.files, &other.files, |a, b| a.path == b.path)
            && merge(&mut joined.modules, &other.modules, |a, b| a.name == b.name);
        agree.then_some(joined)
    }

    /// What a guest with this image holds: path, or name of a module, to what stands for its content. A guest whose listing has
    /// all of another's holds all that that one does, byte for byte.
    ///
    /// # Errors
    /// When something that goes in cannot be found or read.
    pub fn listing(&self) -> Result<BTreeMap<String, String>, ImageError> {
        let mut listing: BTreeMap<String, String> = base::archive(self)?.listing().collect();
        if let Some(overlay) = overlay::archive(self)? {
            listing.extend(overlay.listing());
        }
        // It names all modules, those of others too; each stands for itself below.
        listing.remove(layout::MODULE_INDEX);
        for module in &self.modules {
            let files = module.files.iter().map(|file| file.file_stem().unwrap_or_default());
            let files: Vec<_> = files.map(|name| name.to_string_lossy()).collect();
            listing.insert(format!("module {}", layout::module_key(&module.name)), files.join(" "));
        }
        Ok(listing)
    }

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

/// Adds what is new; whether all that stands for the same is equal.
fn merge<T: Clone + PartialEq>(
    into: &mut Vec<T>,
    from: &[T],
    same: impl Fn(&T, &T) -> bool,
) -> bool {
    for new in from {
        match into.iter().find(|old| same(old, new)) {
            Some(old) if old != new => return false,
            Some(_) => {}
            None => into.push(new.clone()),
        }
    }
    true
}

#[cfg(test)]
mod tests;
