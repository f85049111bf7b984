//! The overlay: what one run adds to the base.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use agent_protocol::layout::{self, ModuleIndex};
use walkdir::WalkDir;

use crate::image::{GuestFile, ImageError, ImageSpec, Module, Source, base};
use crate::initramfs::Archive;
use crate::pack::program_as;

/// The overlay of `spec`; none if nothing is in it.
pub fn archive(spec: &ImageSpec) -> Result<Option<Archive>, ImageError> {
    let mut archive = Archive::new();
    if !spec.modules.is_empty() {
        let index = add_modules(&mut archive, &spec.modules)?;
        // A map of strings is always JSON.
        let json = serde_json::to_vec(&index).unwrap_or_default();
        archive.file(layout::MODULE_INDEX, 0o644, json)?;
    }
    for file in &spec.files {
        add_file(&mut archive, file)?;
    }
    Ok((archive != Archive::new()).then_some(archive))
}

fn add_modules(archive: &mut Archive, modules: &[Module]) -> Result<ModuleIndex, ImageError> {
    let mut index = ModuleIndex::new();
    for module in modules {
        let files = module.files.iter();
        let paths: Result<_, _> = files.map(|file| base::add_module(archive, file)).collect();
        index.insert(layout::module_key(&module.name), paths?);
    }
    Ok(index)
}

fn add_file(archive: &mut Archive, file: &GuestFile) -> Result<(), ImageError> {
    match &file.source {
        Source::Bytes(bytes) => {
            archive.file(&file.path, file.mode.unwrap_or(0o644), bytes.clone())?;
            Ok(())
        }
        Source::Program(host) => Ok(program_as(archive, host, &file.path)?),
        Source::Host(host) if host.is_dir() => add_tree(archive, &file.path, host),
        Source::Host(host) => add_host_file(archive, &file.path, file.mode, host),
    }
}

/// Symbolic links stay links: what they point to is in the guest only if it is put there.
fn add_tree(archive: &mut Archive, path: &str, host: &Path) -> Result<(), ImageError> {
    for entry in WalkDir::new(host).sort_by_file_name() {
        let entry = entry.map_err(|error| ImageError::Read {
            path: error.path().unwrap_or(host).into(),
            source: error.into(),
        })?;
        let below = entry.path().strip_prefix(host).unwrap_or(entry.path());
        let below = below.to_str().ok_or_else(|| ImageError::Name { path: entry.path().into() })?;
        let target = match below {
            "" => path.to_owned(),
            below => format!("{}/{below}", path.trim_end_matches('/')),
        };
        add_tree_entry(archive, &target, &entry)?;
    }
    Ok(())
}

fn add_tree_entry(
    archive: &mut Archive,
    target: &str,
    entry: &walkdir::DirEntry,
) -> Result<(), ImageError> {
    let host = entry.path();
    let read = |source| ImageError::Read { path: host.into(), source };
    if entry.file_type().is_dir() {
        let permissions = fs::metadata(host).map_err(read)?.permissions().mode();
        archive.directory(target, permissions)?;
    } else if entry.file_type().is_symlink() {
        let link = fs::read_link(host).map_err(read)?;
        let link = link.to_str().ok_or_else(|| ImageError::Name { path: host.into() })?;
        archive.symlink(target, link)?;
    } else {
        add_host_file(archive, target, None, host)?;
    }
    Ok(())
}

fn add_host_file(
    archive: &mut Archive,
    path: &str,
    mode: Option<u32>,
    host: &Path,
) -> Result<(), ImageError> {
    let read = |source| ImageError::Read { path: host.into(), source };
    let metadata = fs::metadata(host).map_err(read)?;
    // Reading a FIFO or a device might never end.
    if !metadata.is_file() {
        return Err(ImageError::Special { path: host.into() });
    }
    let permissions = mode.unwrap_or(metadata.permissions().mode());
    archive.file(path, permissions, fs::read(host).map_err(read)?)?;
    Ok(())
}
