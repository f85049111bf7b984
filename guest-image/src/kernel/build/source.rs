//! Kernel sources: Debian's package, a tarball, or a tree.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use super::super::debian::Apt;
use super::super::hash::hex;
use super::super::process::run;
use super::super::{Arch, Cache, CacheError, Progress};
use super::BuildError;

/// The suite of Debian's archive with the newest kernels; its source packages are for every
/// release and architecture.
const SUITE: &str = "trixie-backports";

/// The series that the profiles are tried with; the newest there is when it is gone.
const SERIES: &str = "linux-source-7.3";

/// Room for Debian's source, packed and unpacked, in bytes.
const ROOM: u64 = 3 << 30;

/// How many times its packed size a source takes at most when it is unpacked: xz makes 1.8 GiB of
/// Linux 7.3 into 0.15 GiB.
const UNPACKED: u64 = 14;

/// Where a kernel's source comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Debian's newest source package.
    Debian,
    /// A tarball as kernel.org has them, compressed or not.
    Tarball(PathBuf),
    /// A source tree in which nothing has been built.
    Tree(PathBuf),
}

impl FromStr for Source {
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<Self> {
        if text == "debian" {
            return Ok(Self::Debian);
        }
        let path = fs::canonicalize(text)?;
        Ok(if path.is_dir() { Self::Tree(path) } else { Self::Tarball(path) })
    }
}

/// A source tree, ready to be built.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    /// Its top.
    pub dir: PathBuf,
    /// Changes when anything in it does.
    pub identity: String,
    /// What to call it.
    pub label: String,
}

impl Source {
    /// Fetches or unpacks the source, if need be.
    pub(super) fn prepare(
        &self,
        cache: &Cache,
        progress: &dyn Progress,
    ) -> Result<Tree, BuildError> {
        let tree = match self {
            Self::Debian => debian(cache, progress)?,
            Self::Tarball(path) => tarball(path, cache, progress)?,
            Self::Tree(dir) => {
                expect_source(dir)?;
                Tree {
                    identity: listing_hash(dir),
                    label: dir.display().to_string(),
                    dir: dir.clone(),
                }
            }
        };
        Ok(tree)
    }

    /// Whether its objects are kept after a build: a tree that its owner works on is built again.
    pub(super) fn keeps_objects(&self) -> bool {
        matches!(self, Self::Tree(_))
    }
}

fn debian(cache: &Cache, progress: &dyn Progress) -> Result<Tree, BuildError> {
    let _lock = cache.lock("source-debian", progress)?;
    if let Some(dir) = unpacked_before(cache)? {
        return Ok(tree_at(dir));
    }
    cache.expect_room(ROOM)?;
    let apt = Apt::of_suite(cache, Arch::X86_64, SUITE)?;
    let updated = apt.update(progress);
    let Some((package, version)) = newest_source(&apt)? else {
        updated?;
        return Err(BuildError::NoSourcePackage { suite: SUITE });
    };
    let staging = cache.stage()?;
    apt.unpack(&[&package], staging.path(), progress)?;
    let packed = staging.path().join(format!("usr/src/{package}.tar.xz"));
    let name = format!("{package}-{}", version.replace(['/', ':'], "_"));
    unpack(&packed, &name, cache, progress)
}

/// The newest of the tried series that was unpacked before: what was built yesterday is not built
/// anew because a mirror has a newer one.
fn unpacked_before(cache: &Cache) -> Result<Option<PathBuf>, CacheError> {
    let dir = cache.directory("sources")?;
    let listing = fs::read_dir(&dir).map_err(|e| CacheError::io(&dir, e))?;
    let ours = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("linux-source-"))
    };
    Ok(listing.filter_map(|entry| Some(entry.ok()?.path())).filter(ours).max())
}

fn newest_source(apt: &Apt) -> Result<Option<(String, String)>, BuildError> {
    let names = apt.names("^linux-source-[0-9.]+$")?;
    let tried = names.iter().find(|name| *name == SERIES);
    let Some(name) = tried.or_else(|| names.iter().max_by_key(|name| series(name))) else {
        return Ok(None);
    };
    Ok(apt.field(name, "Version")?.map(|version| (name.clone(), version)))
}

/// The numbers of `linux-source-7.3`.
fn series(name: &str) -> Vec<u32> {
    name.trim_start_matches("linux-source-").split('.').filter_map(|n| n.parse().ok()).collect()
}

fn tarball(path: &Path, cache: &Cache, progress: &dyn Progress) -> Result<Tree, BuildError> {
    let hash = file_hash(path).map_err(|e| BuildError::io(path, e))?;
    let stem = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = stem.split(".tar").next().unwrap_or_default().to_owned();
    let name = format!("{stem}-{}", &hash[..12]);
    let _lock = cache.lock(&format!("source-{name}"), progress)?;
    let dir = cache.directory("sources")?.join(&name);
    if dir.is_dir() {
        return Ok(tree_at(dir));
    }
    let size = fs::metadata(path).map_err(|e| BuildError::io(path, e))?.len();
    cache.expect_room(size.saturating_mul(UNPACKED))?;
    unpack(path, &name, cache, progress)
}

fn unpack(
    packed: &Path,
    name: &str,
    cache: &Cache,
    progress: &dyn Progress,
) -> Result<Tree, BuildError> {
    let staging = cache.stage()?;
    progress.stage(&format!("unpacking {name}"));
    let mut command = Command::new("tar");
    command.arg("--extract").arg("--file").arg(packed).arg("--strip-components=1");
    command.args(["--no-same-owner", "--directory"]).arg(staging.path());
    run(&mut command, |_| {})?;
    expect_source(staging.path())?;
    Ok(tree_at(cache.place(staging, "sources", name)?))
}

/// A tree of the cache never changes: its name is its identity.
fn tree_at(dir: PathBuf) -> Tree {
    let label = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Tree { identity: label.clone(), label, dir }
}

fn expect_source(dir: &Path) -> Result<(), BuildError> {
    for missing in ["Makefile", "Kconfig", "Kbuild"] {
        if !dir.join(missing).is_file() {
            return Err(BuildError::NotASource { path: dir.into(), missing });
        }
    }
    Ok(())
}

fn file_hash(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hex(&hasher.finalize())),
            len => hasher.update(&block[..len]),
        }
    }
}

/// A hash of names, sizes and modification times: what make itself goes by. Hashing the contents of
/// a kernel tree would take longer than finding out that nothing is to be built.
fn listing_hash(dir: &Path) -> String {
    let mut hasher = Sha256::new();
    let walk = WalkDir::new(dir).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(|entry| entry.file_name() != ".git").flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() {
            let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            hasher.update(format!("{} {} {modified:?}\n", entry.path().display(), metadata.len()));
        }
    }
    hex(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::super::super::Silent;
    use super::*;

    fn source(dir: &Path) {
        for file in ["Makefile", "Kconfig", "Kbuild"] {
            fs::write(dir.join(file), "").unwrap();
        }
    }

    #[test]
    fn a_tree_s_identity_changes_with_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().join("cache"));
        let tree = dir.path().join("linux");
        fs::create_dir(&tree).unwrap();
        source(&tree);
        let of = || Source::Tree(tree.clone()).prepare(&cache, &Silent).unwrap().identity;
        let before = of();
        assert_eq!(of(), before);
        fs::write(tree.join("Makefile"), "VERSION = 7\n").unwrap();
        assert_ne!(of(), before);
    }

    #[test]
    fn a_directory_without_kconfig_is_no_source() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("Makefile"), "").unwrap();
        let error = expect_source(dir.path()).unwrap_err().to_string();
        assert!(error.contains("has no Kconfig"), "{error}");
    }

    #[test]
    fn a_tarball_is_unpacked_once() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().join("cache"));
        fs::create_dir(dir.path().join("linux-9")).unwrap();
        source(&dir.path().join("linux-9"));
        let tarball = dir.path().join("linux-9.tar");
        let mut tar = Command::new("tar");
        run(tar.arg("-cf").arg(&tarball).arg("-C").arg(dir.path()).arg("linux-9"), |_| {}).unwrap();
        let tree = Source::Tarball(tarball.clone()).prepare(&cache, &Silent).unwrap();
        assert!(tree.label.starts_with("linux-9-") && tree.dir.join("Kconfig").is_file());
        fs::write(tree.dir.join("mark"), "").unwrap();
        let again = Source::Tarball(tarball).prepare(&cache, &Silent).unwrap();
        assert!(again.dir.join("mark").is_file());
    }

    #[test]
    fn series_are_compared_as_numbers() {
        assert!(series("linux-source-7.10") > series("linux-source-7.9"));
    }
}
