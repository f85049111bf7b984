//! Fetching the stock kernel into the cache.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::cache::{Entry, Origin, now};
use super::super::{Arch, Cache, CacheError, Progress};
use super::{Apt, FetchError};

/// The alias of fetched kernels.
const ALIAS: &str = "debian";

/// Room that lists, package and unpacked tree take together, in bytes: 6.1 takes 550 MiB.
const ROOM: u64 = 700 << 20;

/// Gets Debian's stock kernel for `arch` (what `linux-image-amd64` or `linux-image-arm64` stands
/// for at the moment) into `cache`: image, configuration, System.map and all modules. When the
/// cache has that kernel already, only the lists of packages are fetched.
///
/// # Errors
/// When the host has no apt and dpkg, its mirrors cannot be reached or have no kernel, or the disk
/// is full.
pub fn fetch(cache: &Cache, arch: Arch, progress: &dyn Progress) -> Result<Entry, FetchError> {
    let _lock = cache.lock(&format!("{ALIAS}-{arch}"), progress)?;
    cache.expect_room(ROOM)?;
    let apt = Apt::new(cache, arch)?;
    // One source of many that is broken must not matter when another has the kernel.
    let updated = apt.update(progress);
    let package =
        Package::newest(&apt, arch).map_err(|missing| updated.err().unwrap_or(missing))?;
    match cache.find(&package.entry_name(), arch)? {
        Some(entry) if entry.origin == package.origin() => Ok(entry),
        _ => package.install(&apt, cache, arch, progress),
    }
}

/// One version of a kernel package.
struct Package {
    name: String,
    version: String,
}

impl Package {
    /// The package that the metapackage depends on.
    fn newest(apt: &Apt, arch: Arch) -> Result<Self, FetchError> {
        let meta = format!("linux-image-{}", arch.debian_name());
        let missing = |package: &str| FetchError::NoPackage { package: package.into() };
        let depends = apt.field(&meta, "Depends")?.ok_or_else(|| missing(&meta))?;
        let name = first_dependency(&depends).ok_or_else(|| missing(&meta))?.to_owned();
        let version = apt.field(&name, "Version")?.ok_or_else(|| missing(&name))?;
        Ok(Self { name, version })
    }

    fn entry_name(&self) -> String {
        format!("{ALIAS}-{}", self.name.trim_start_matches("linux-image-"))
    }

    fn origin(&self) -> Origin {
        Origin::Package { package: self.name.clone(), version: self.version.clone() }
    }

    fn install(
        &self,
        apt: &Apt,
        cache: &Cache,
        arch: Arch,
        progress: &dyn Progress,
    ) -> Result<Entry, FetchError> {
        let staging = cache.stage()?;
        apt.unpack(&[&self.name], staging.path(), progress)?;
        adopt_usr_lib(staging.path()).map_err(|e| CacheError::io(staging.path(), e))?;
        let release = self.release(staging.path())?;
        let entry = Entry {
            name: self.entry_name(),
            alias: ALIAS.into(),
            release,
            arch,
            origin: self.origin(),
            created: now(),
            size: 0,
            dir: PathBuf::new(),
        };
        Ok(cache.commit(staging, entry)?)
    }

    /// The release is in the image's name.
    fn release(&self, dir: &Path) -> Result<String, FetchError> {
        let image = find(&dir.join("boot"), |name| name.starts_with("vmlinuz-"));
        let name = image.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
        let release = name.and_then(|name| name.strip_prefix("vmlinuz-"));
        release.map(Into::into).ok_or_else(|| self.lacks("boot/vmlinuz-RELEASE"))
    }

    fn lacks(&self, what: &str) -> FetchError {
        FetchError::BadPackage { package: self.name.clone(), what: what.into() }
    }
}

/// Since Debian 13 packages have their modules in `usr/lib/modules`; entries have `lib/modules`.
fn adopt_usr_lib(dir: &Path) -> std::io::Result<()> {
    let merged = dir.join("usr/lib/modules");
    if !merged.is_dir() || dir.join("lib/modules").exists() {
        return Ok(());
    }
    fs::create_dir_all(dir.join("lib"))?;
    fs::rename(merged, dir.join("lib/modules"))
}

/// The first file in `dir` whose name is as `wanted`.
fn find(dir: &Path, wanted: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let paths = fs::read_dir(dir).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .into_iter()
        .find(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(&wanted))
}

/// The first package of a `Depends` field: `linux-image-6.1.0-56-amd64 (= 6.1.192-2), b | c`.
fn first_dependency(depends: &str) -> Option<&str> {
    depends.split([',', '|', '(', ' ']).next().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_the_first_dependency_of_the_metapackage() {
        assert_eq!(
            first_dependency("linux-image-6.1.0-56-amd64 (= 6.1.192-2)"),
            Some("linux-image-6.1.0-56-amd64")
        );
        assert_eq!(first_dependency("a, b"), Some("a"));
        assert_eq!(first_dependency(""), None);
    }

    #[test]
    fn modules_of_a_merged_usr_are_moved_to_where_entries_have_them() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("usr/lib/modules/6.12.0")).unwrap();
        adopt_usr_lib(dir.path()).unwrap();
        assert!(dir.path().join("lib/modules/6.12.0").is_dir());
    }

    #[test]
    fn a_package_without_an_image_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let package = Package { name: "linux-image-x".into(), version: "1".into() };
        assert!(matches!(package.release(dir.path()), Err(FetchError::BadPackage { .. })));
    }
}
