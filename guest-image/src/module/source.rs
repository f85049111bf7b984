//! Where a module's source is, and what belongs to it.

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::ModuleBuildError;

/// Where modules are, below each directory around a scenario.
const PLACES: [&str; 2] = ["modules", "guest-image/modules"];

/// A directory that has this is the root of a project: modules are not looked for above it.
const ROOT: &str = ".git";

/// Build files of a module that brings its own.
const BUILD_FILES: [&str; 2] = ["Kbuild", "Makefile"];

/// Suffixes of source files.
const SOURCES: [&str; 5] = ["rs", "c", "h", "S", "sh"];

/// How the module uses the support crate.
const SUPPORT: &str = "kharness::";

/// A module's source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleSource {
    /// Its name, which is that of its directory.
    pub name: String,
    /// Its directory: absolute.
    pub dir: PathBuf,
    /// What it is made of.
    pub(super) kind: Kind,
}

/// What a module is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// `NAME.rs`, perhaps with C files.
    Rust {
        /// Stems of the C files, in order.
        c_files: Vec<String>,
        /// Whether it uses the support crate.
        support: bool,
    },
    /// A directory with a build file of its own.
    Own,
}

impl ModuleSource {
    /// The module in `dir`.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(dir: &Path) -> Result<Self, ModuleBuildError> {
        let dir = fs::canonicalize(dir).map_err(|e| ModuleBuildError::io(dir, e))?;
        let name = dir.file_name().unwrap_or_default().to_string_lossy().replace('-', "_");
        let main = dir.join(format!("{name}.rs"));
        let kind = if BUILD_FILES.iter().any(|file| dir.join(file).is_file()) {
            Kind::Own
        } else if main.is_file() {
            let text = fs::read_to_string(&main).map_err(|e| ModuleBuildError::io(&main, e))?;
            Kind::Rust { c_files: c_files(&dir)?, support: text.contains(SUPPORT) }
        } else {
            return Err(ModuleBuildError::NotAModule { dir, name });
        };
        Ok(Self { name, dir, kind })
    }

    /// Its files: what the module is built from.
    pub(super) fn files(&self) -> Result<Vec<PathBuf>, ModuleBuildError> {
        let mut files = Vec::new();
        for entry in WalkDir::new(&self.dir).sort_by_file_name() {
            let entry = entry.map_err(|e| ModuleBuildError::io(&self.dir, e.into()))?;
            if entry.file_type().is_file() && is_source(entry.path()) {
                files.push(entry.into_path());
            }
        }
        Ok(files)
    }
}

fn is_source(path: &Path) -> bool {
    let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default();
    // What a build in the directory itself leaves behind.
    let generated = path.to_string_lossy().ends_with(".mod.c");
    let build_file = BUILD_FILES.iter().any(|file| path.ends_with(file));
    (SOURCES.contains(&suffix) || build_file) && !generated
}

fn c_files(dir: &Path) -> Result<Vec<String>, ModuleBuildError> {
    let listing = fs::read_dir(dir).map_err(|e| ModuleBuildError::io(dir, e))?;
    let paths = listing.filter_map(|entry| Some(entry.ok()?.path()));
    let mut stems: Vec<String> = paths
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "c") && is_source(path))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    stems.sort();
    Ok(stems)
}

/// The source of the module `name` for a scenario in the directory `from`: in `modules/` or
/// `guest-image/modules/` of that directory or of one around it, up to the root of the project.
#[must_use]
pub fn find(name: &str, from: &Path) -> Option<ModuleSource> {
    let from = fs::canonicalize(from).ok()?;
    for around in from.ancestors() {
        for place in PLACES {
            // A module's directory may have its name with `-`.
            let names = [name.replace('-', "_"), name.replace('_', "-")];
            let dirs = names.map(|name| around.join(place).join(name));
            if let Some(source) = dirs.iter().find_map(|dir| ModuleSource::open(dir).ok()) {
                return Some(source);
            }
        }
        if around.join(ROOT).exists() {
            return None;
        }
    }
    None
}

/// All modules in `modules/` and `guest-image/modules/` of the directory `from`, by name.
#[must_use]
pub fn all(from: &Path) -> Vec<ModuleSource> {
    let dirs = PLACES.iter().filter_map(|place| fs::read_dir(from.join(place)).ok()).flatten();
    let mut sources: Vec<ModuleSource> =
        dirs.filter_map(|entry| ModuleSource::open(&entry.ok()?.path()).ok()).collect();
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    sources
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
    fn a_module_is_found_around_the_scenario_but_not_above_the_project() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        write(root, "modules/above/above.rs", "");
        write(root, "project/.git/HEAD", "");
        write(root, "project/guest-image/modules/kh_x/kh_x.rs", "use kharness::prelude::*;");
        write(root, "project/scenarios/a/x.yaml", "");
        let from = root.join("project/scenarios/a");
        let found = find("kh-x", &from).unwrap();
        assert_eq!(found.kind, Kind::Rust { c_files: Vec::new(), support: true });
        assert_eq!(find("above", &from), None);
    }

    #[test]
    fn what_a_build_leaves_is_no_source() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["m/m.rs", "m/shim.c", "m/m.mod.c", "m/m.o", "m/deep/part.rs"] {
            write(dir.path(), file, "");
        }
        let source = ModuleSource::open(&dir.path().join("m")).unwrap();
        let c_files = vec!["shim".to_owned()];
        assert_eq!(source.kind, Kind::Rust { c_files, support: false });
        let names: Vec<_> = source
            .files()
            .unwrap()
            .iter()
            .map(|path| path.strip_prefix(&source.dir).unwrap().display().to_string())
            .collect();
        assert_eq!(names, ["deep/part.rs", "m.rs", "shim.c"]);
    }

    #[test]
    fn a_build_file_makes_it_the_module_s_own_affair() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "m/Kbuild", "obj-m := m.o");
        write(dir.path(), "m/m.c", "");
        assert_eq!(ModuleSource::open(&dir.path().join("m")).unwrap().kind, Kind::Own);
        fs::create_dir(dir.path().join("empty")).unwrap();
        let error = ModuleSource::open(&dir.path().join("empty")).unwrap_err();
        assert!(matches!(error, ModuleBuildError::NotAModule { .. }), "{error}");
    }
}
