//! Which modules a tree has, and where.
//!
//! Two layouts are known: an installed tree (`lib/modules/RELEASE`), whose module files are found by
//! walking it, and a kernel build tree, whose `modules.order` lists them. `modules.dep` is not
//! needed: a distribution makes it only when the package is installed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::ModuleError;
use super::info::canonical;

/// Suffixes of module files: `CONFIG_MODULE_COMPRESS_*`.
const SUFFIXES: [&str; 4] = [".ko", ".ko.xz", ".ko.zst", ".ko.gz"];

/// What an installed tree has besides its modules, or links to: sources and objects.
const OTHER_TREES: [&str; 2] = ["build", "source"];

/// Names of a tree's modules.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// Loadable modules, by canonical name.
    pub files: BTreeMap<String, PathBuf>,
    /// Modules that are part of the kernel, by canonical name.
    pub builtin: BTreeSet<String>,
}

impl Index {
    /// Lists the modules of `root`.
    pub fn read(root: &Path) -> Result<Self, ModuleError> {
        let files = if is_build_tree(root) { ordered(root)? } else { walked(root)? };
        let builtin = lines(&root.join("modules.builtin"))?
            .iter()
            .filter_map(|line| name_of(Path::new(line)))
            .collect();
        Ok(Self { files, builtin })
    }
}

/// An installed tree has no `.config` of this name.
fn is_build_tree(root: &Path) -> bool {
    root.join(".config").is_file()
}

/// `modules.order` names `.o` files since Linux 6.4, `.ko` files before.
fn ordered(root: &Path) -> Result<BTreeMap<String, PathBuf>, ModuleError> {
    let lines = lines(&root.join("modules.order"))?;
    let paths = lines.iter().map(|line| Path::new(line).with_extension("ko"));
    Ok(paths.filter_map(|path| Some((name_of(&path)?, root.join(path)))).collect())
}

fn walked(root: &Path) -> Result<BTreeMap<String, PathBuf>, ModuleError> {
    let mut files = BTreeMap::new();
    let own = |entry: &DirEntry| {
        entry.depth() != 1 || !OTHER_TREES.iter().any(|t| entry.file_name() == *t)
    };
    for entry in WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(own) {
        let entry = entry.map_err(|e| unreadable(root, e.into()))?;
        if let Some(name) = name_of(entry.path()).filter(|_| entry.file_type().is_file()) {
            files.insert(name, entry.into_path());
        }
    }
    Ok(files)
}

fn lines(path: &Path) -> Result<Vec<String>, ModuleError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().map(Into::into).collect()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(unreadable(path, e)),
    }
}

pub(super) fn unreadable(path: &Path, source: io::Error) -> ModuleError {
    ModuleError::Unreadable { path: path.into(), source }
}

/// The canonical name of the module in the file `path`; `None` when it is no module file.
pub(super) fn name_of(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    SUFFIXES.iter().find_map(|suffix| file.strip_suffix(suffix)).map(canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn an_installed_tree_is_walked_whatever_the_compression() {
        let dir = tempfile::tempdir().unwrap();
        for path in [
            "kernel/a/x-y.ko",
            "kernel/b.ko.xz",
            "updates/c.ko.zst",
            "d.ko.gz",
            "kernel/not.o",
            "modules.dep",
            "build/other.ko",
        ] {
            write(dir.path(), path, "");
        }
        write(dir.path(), "modules.builtin", "kernel/lib/crc-t10.ko\n");
        let index = Index::read(dir.path()).unwrap();
        assert_eq!(index.files.keys().collect::<Vec<_>>(), ["b", "c", "d", "x_y"]);
        assert!(index.builtin.contains("crc_t10"));
    }

    #[test]
    fn a_build_tree_s_modules_are_those_of_modules_order() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), ".config", "");
        write(dir.path(), "modules.order", "fs/ext4/ext4.o\ndrivers/old-style.ko\n");
        write(dir.path(), "stale/gone.ko", "");
        let index = Index::read(dir.path()).unwrap();
        assert_eq!(index.files["ext4"], dir.path().join("fs/ext4/ext4.ko"));
        assert_eq!(index.files.keys().collect::<Vec<_>>(), ["ext4", "old_style"]);
    }

    #[test]
    fn a_build_tree_without_modules_has_none() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), ".config", "");
        assert!(Index::read(dir.path()).unwrap().files.is_empty());
    }
}
