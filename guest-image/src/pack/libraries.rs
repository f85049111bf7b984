//! Finds shared libraries the way the dynamic loader does (ld.so(8), "shared object
//! dependencies"), without running anything.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::initramfs::Archive;
use crate::pack::elf::{self, Loading};
use crate::pack::{PackError, host};

/// What the loader reads before its default directories; it names the host's paths, which are
/// the guest's as well.
const LOADER_CACHE: &str = "/etc/ld.so.cache";

/// An object whose libraries are to be found.
struct Object {
    /// Where the loader finds it: what `$ORIGIN` is relative to.
    path: PathBuf,
    loading: Loading,
    /// `DT_RPATH` of those that brought it in, its own first, `$ORIGIN` replaced.
    inherited: Vec<PathBuf>,
}

/// Adds all libraries that the object at `path` needs, and those that they need.
pub fn add(archive: &mut Archive, path: &Path, loading: Loading) -> Result<(), PackError> {
    if Path::new(LOADER_CACHE).exists() {
        host::add(archive, LOADER_CACHE.as_ref())?;
    }
    let system = system_directories(&loading);
    let mut seen = BTreeSet::new();
    let mut queue = vec![Object::new(path.into(), loading, &[])];
    while let Some(object) = queue.pop() {
        for name in &object.loading.needed {
            let (path, loading) = object.find(name, &system)?;
            if seen.insert(path.clone()) {
                host::add(archive, &path)?;
                queue.push(Object::new(path, loading, &object.inherited));
            }
        }
    }
    Ok(())
}

impl Object {
    fn new(path: PathBuf, loading: Loading, inherited: &[PathBuf]) -> Self {
        let mut object = Self { path, loading, inherited: Vec::new() };
        // An object with DT_RUNPATH has no DT_RPATH, and does not use that of others.
        if object.loading.runpath.is_empty() {
            object.inherited = object.expand(&object.loading.rpath);
            object.inherited.extend_from_slice(inherited);
        }
        object
    }

    /// The library called `name` that the loader would take.
    fn find(&self, name: &str, system: &[PathBuf]) -> Result<(PathBuf, Loading), PackError> {
        let candidates: Vec<PathBuf> = if name.contains('/') {
            vec![PathBuf::from(name)]
        } else {
            let own = self.expand(&self.loading.runpath);
            let directories = self.inherited.iter().chain(&own).chain(system);
            directories.map(|directory| directory.join(name)).collect()
        };
        // The loader passes over objects of another machine.
        let fitting = candidates.into_iter().find_map(|path| {
            let loading = elf::parse(&path, &fs::read(&path).ok()?).ok()?;
            (loading.machine == self.loading.machine).then_some((path, loading))
        });
        fitting.ok_or_else(|| PackError::Missing {
            needed_by: self.path.clone(),
            needed: name.to_owned(),
            hint: "install the package that has this library, then run ldconfig",
        })
    }

    /// Replaces `$ORIGIN` and `$LIB`; directories that stay relative mean nothing in the guest.
    fn expand(&self, directories: &[String]) -> Vec<PathBuf> {
        let origin = self.path.parent().unwrap_or(Path::new("/"));
        let origin = origin.to_string_lossy();
        let lib = if self.loading.machine.1 { "lib64" } else { "lib" };
        let replace = |text: &String| {
            text.replace("${ORIGIN}", &origin)
                .replace("$ORIGIN", &origin)
                .replace("${LIB}", lib)
                .replace("$LIB", lib)
        };
        let paths = directories.iter().map(replace).map(PathBuf::from);
        paths.filter(|path| path.is_absolute()).collect()
    }
}

/// Directories of ld.so.conf, then those built into the loader: beside the loader itself, which
/// is how distributions with several architectures do it, and the traditional ones.
fn system_directories(loading: &Loading) -> Vec<PathBuf> {
    let mut directories = configured(Path::new("/etc/ld.so.conf"), &mut BTreeSet::new());
    let interpreter = loading.interpreter.as_ref();
    let loader = interpreter.and_then(|path| fs::canonicalize(path).ok());
    directories.extend(loader.as_deref().and_then(Path::parent).map(Path::to_owned));
    let traditional: [&str; 4] = if loading.machine.1 {
        ["/lib64", "/usr/lib64", "/lib", "/usr/lib"]
    } else {
        ["/lib", "/usr/lib", "/lib32", "/usr/lib32"]
    };
    directories.extend(traditional.map(PathBuf::from));
    directories
}

/// Directories of an ld.so.conf file (ldconfig(8)): one a line, `#` comments, `include PATTERN`.
/// A file that has been `seen` adds nothing.
fn configured(file: &Path, seen: &mut BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let Ok(real) = fs::canonicalize(file) else {
        return Vec::new();
    };
    if !seen.insert(real) {
        return Vec::new();
    }
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut directories = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(pattern) = line.strip_prefix("include ") {
            let base = file.parent().unwrap_or(Path::new("/"));
            for included in matches(&base.join(pattern.trim())) {
                directories.extend(configured(&included, seen));
            }
        } else if line.starts_with('/') {
            directories.push(PathBuf::from(line));
        }
    }
    directories
}

/// Files that `pattern` names, sorted; its last part may hold one `*`.
fn matches(pattern: &Path) -> Vec<PathBuf> {
    let name = pattern.file_name().unwrap_or_default().to_string_lossy();
    let Some((start, end)) = name.split_once('*') else {
        return vec![pattern.into()];
    };
    let Some(Ok(entries)) = pattern.parent().map(fs::read_dir) else {
        return Vec::new();
    };
    let fits = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let rest = name.strip_prefix(start);
        rest.is_some_and(|rest| rest.ends_with(end))
    };
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(fits).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(rpath: &[&str], runpath: &[&str], inherited: &[&str]) -> Object {
        let own = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect();
        let loading = Loading {
            machine: (62, true),
            rpath: own(rpath),
            runpath: own(runpath),
            ..Loading::default()
        };
        let inherited: Vec<PathBuf> = inherited.iter().map(PathBuf::from).collect();
        Object::new("/opt/app/bin/app".into(), loading, &inherited)
    }

    #[test]
    fn origin_is_where_the_object_is() {
        let object = object(&["$ORIGIN/../lib", "${ORIGIN}/x", "relative"], &[], &[]);
        let expected = ["/opt/app/bin/../lib", "/opt/app/bin/x"].map(PathBuf::from);
        assert_eq!(object.inherited, expected);
    }

    #[test]
    fn a_runpath_switches_rpaths_off() {
        let object = object(&["/own"], &["/run"], &["/parent"]);
        assert!(object.inherited.is_empty());
    }

    #[test]
    fn own_rpaths_come_before_inherited_ones() {
        let object = object(&["/own"], &[], &["/parent"]);
        assert_eq!(object.inherited, ["/own", "/parent"].map(PathBuf::from));
    }

    #[test]
    fn a_missing_library_is_named() {
        let error = object(&[], &[], &[]).find("libnone.so.1", &[]).err().unwrap();
        assert!(error.to_string().contains("libnone.so.1"), "{error}");
    }

    #[test]
    fn configuration_files_include_others_but_not_themselves() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("conf.d")).unwrap();
        fs::write(path("ld.so.conf"), "# comment\ninclude conf.d/*.conf\n/last # really\n")
            .unwrap();
        fs::write(path("conf.d/b.conf"), "/b\ninclude ../ld.so.conf\n").unwrap();
        fs::write(path("conf.d/a.conf"), "/a\n").unwrap();
        fs::write(path("conf.d/c.txt"), "/c\n").unwrap();
        let directories = configured(&path("ld.so.conf"), &mut BTreeSet::new());
        assert_eq!(directories, ["/a", "/b", "/last"].map(PathBuf::from));
    }
}
