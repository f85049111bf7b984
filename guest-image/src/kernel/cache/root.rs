//! The cache as a whole.

use std::env;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::super::{Arch, Progress, Silent};
use super::staging::{remove_orphans, retire};
use super::{CacheError, Entry, Lock, Staging};

/// Fetched and built kernels on disk. Safe to use from several processes at once.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The user's cache: `$KHARNESS_CACHE`, else `$XDG_CACHE_HOME/kharness`, else
    /// `~/.cache/kharness`. Nothing is created before it is needed.
    ///
    /// # Errors
    /// When none of the three variables holds an absolute path.
    pub fn open() -> Result<Self, CacheError> {
        place(|name| env::var_os(name).map(PathBuf::from)).map(Self::at).ok_or(CacheError::NoPlace)
    }

    /// A cache in `root`.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The cache's directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The kernels in the cache, newest first. Damaged entries are left out.
    ///
    /// # Errors
    /// When the cache cannot be read.
    pub fn entries(&self) -> Result<Vec<Entry>, CacheError> {
        let dir = self.root.join("kernels");
        let listing = match fs::read_dir(&dir) {
            Ok(listing) => listing,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(CacheError::io(&dir, e)),
        };
        let mut entries: Vec<Entry> =
            listing.filter_map(|entry| read_entry(&entry.ok()?.path()).ok()).collect();
        entries.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.name.cmp(&b.name)));
        Ok(entries)
    }

    /// The kernel with this name, or the newest with this alias and architecture.
    ///
    /// # Errors
    /// When the cache cannot be read.
    pub fn find(&self, name: &str, arch: Arch) -> Result<Option<Entry>, CacheError> {
        let entries = self.entries()?;
        let exact = entries.iter().find(|entry| entry.name == name);
        let newest = || entries.iter().find(|entry| entry.alias == name && entry.arch == arch);
        Ok(exact.or_else(newest).cloned())
    }

    /// The kernel of exactly this name.
    ///
    /// # Errors
    /// When there is none, or its description is damaged.
    pub fn entry(&self, name: &str) -> Result<Entry, CacheError> {
        let dir = self.entry_dir(name);
        if !is_name(name) || !dir.is_dir() {
            return Err(self.no_entry(name));
        }
        read_entry(&dir)
    }

    /// Removes the kernel of exactly this name, also when its description is damaged.
    ///
    /// # Errors
    /// When there is none, or it cannot be removed.
    pub fn remove(&self, name: &str, progress: &dyn Progress) -> Result<(), CacheError> {
        let dir = self.entry_dir(name);
        if !is_name(name) || !dir.is_dir() {
            return Err(self.no_entry(name));
        }
        let _lock = self.lock(name, progress)?;
        let Some(grave) = retire(&dir, &self.staging_dir()?)? else {
            return Err(self.no_entry(name));
        };
        let path = grave.path().to_path_buf();
        match grave.close() {
            // Another process that cleans up may have been quicker.
            Err(e) if e.kind() != ErrorKind::NotFound => Err(CacheError::io(&path, e)),
            _ => Ok(()),
        }
    }

    /// Takes the lock of `name`: whoever writes an entry holds the lock of what names it.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn lock(&self, name: &str, progress: &dyn Progress) -> Result<Lock, CacheError> {
        Lock::take(&self.directory("locks")?.join(name), progress)
    }

    /// Begins a new entry. The caller holds the entry's lock.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn stage(&self) -> Result<Staging, CacheError> {
        let parent = self.staging_dir()?;
        let _lock = self.lock("staging", &Silent)?;
        remove_orphans(&parent);
        Staging::create(&parent)
    }

    /// Makes `staging` the entry that `entry` describes (its `size` and `dir` are filled in),
    /// replacing one of the same name.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn commit(&self, staging: Staging, entry: Entry) -> Result<Entry, CacheError> {
        let target = self.directory("kernels")?.join(&entry.name);
        staging.commit(entry, &target, &self.staging_dir()?)
    }

    /// Puts `staging` at `kind`/`name`, replacing what was there.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn place(&self, staging: Staging, kind: &str, name: &str) -> Result<PathBuf, CacheError> {
        let target = self.directory(kind)?.join(name);
        staging.place(&target, &self.staging_dir()?)?;
        Ok(target)
    }

    /// The file `kind`/`name`, made with the bytes that `make` gives when it is not there yet.
    ///
    /// # Errors
    /// Those of `make`, and when the cache cannot be written.
    pub fn file<E: From<CacheError>>(
        &self,
        kind: &str,
        name: &str,
        make: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<PathBuf, E> {
        let path = self.directory(kind)?.join(name);
        if !path.exists() {
            let bytes = make()?;
            self.write(&path, &bytes)?;
        }
        Ok(path)
    }

    /// Fails unless the cache's file system has `needed` bytes free. Work that fills a disk fails
    /// late and badly: apt, for one, waits for ever.
    ///
    /// # Errors
    /// When there is less room.
    pub fn expect_room(&self, needed: u64) -> Result<(), CacheError> {
        let dir = self.staging_dir()?;
        let stat = rustix::fs::statvfs(&dir).map_err(|e| CacheError::io(&dir, e.into()))?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        if free < needed {
            return Err(CacheError::TooSmall { path: self.root.clone(), free, needed });
        }
        Ok(())
    }

    /// Two processes that write the same file at once both write the same bytes: no lock.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
        let staging = self.staging_dir()?;
        let mut file = NamedTempFile::new_in(&staging).map_err(|e| CacheError::io(&staging, e))?;
        file.write_all(bytes).map_err(|e| CacheError::io(path, e))?;
        file.persist(path).map_err(|e| CacheError::io(path, e.error))?;
        Ok(())
    }

    /// A directory of the cache, made if it is missing.
    pub(in super::super) fn directory(&self, name: &str) -> Result<PathBuf, CacheError> {
        let dir = self.root.join(name);
        fs::create_dir_all(&dir).map_err(|e| CacheError::io(&dir, e))?;
        Ok(dir)
    }

    fn staging_dir(&self) -> Result<PathBuf, CacheError> {
        self.directory("staging")
    }

    fn entry_dir(&self, name: &str) -> PathBuf {
        self.root.join("kernels").join(name)
    }

    fn no_entry(&self, name: &str) -> CacheError {
        let known =
            self.entries().unwrap_or_default().into_iter().map(|entry| entry.name).collect();
        CacheError::NoEntry { name: name.into(), known }
    }
}

/// One path component that is no `.` or `..`: nothing outside the cache can be named.
fn is_name(name: &str) -> bool {
    Path::new(name).file_name().is_some_and(|file| file == name)
}

fn place(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    absolute("KHARNESS_CACHE")
        .or_else(|| absolute("XDG_CACHE_HOME").map(|dir| dir.join("kharness")))
        .or_else(|| absolute("HOME").map(|dir| dir.join(".cache/kharness")))
}

fn read_entry(dir: &Path) -> Result<Entry, CacheError> {
    let path = dir.join("entry.json");
    let name = || dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let damaged = |what: String| CacheError::Damaged { name: name(), path: path.clone(), what };
    let text = fs::read(&path).map_err(|e| damaged(e.to_string()))?;
    let entry: Entry = serde_json::from_slice(&text).map_err(|e| damaged(e.to_string()))?;
    Ok(Entry { dir: dir.into(), ..entry })
}

#[cfg(test)]
mod tests {
    use super::super::Origin;
    use super::*;

    fn entry(name: &str, created: u64) -> Entry {
        Entry {
            name: name.into(),
            alias: "debian".into(),
            release: "6.1.0".into(),
            arch: Arch::X86_64,
            origin: Origin::Package {
                package: "linux-image-6.1.0".into(),
                version: "6.1.1-1".into(),
            },
            created,
            size: 0,
            dir: PathBuf::new(),
        }
    }

    fn add(cache: &Cache, name: &str, created: u64) -> Entry {
        let staging = cache.stage().unwrap();
        fs::create_dir(staging.path().join("boot")).unwrap();
        fs::write(staging.path().join("boot/vmlinuz-6.1.0"), [1; 100]).unwrap();
        cache.commit(staging, entry(name, created)).unwrap()
    }

    #[test]
    fn the_newest_entry_is_found_by_alias_and_any_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        assert_eq!(cache.entries().unwrap(), []);
        add(&cache, "debian-1", 1);
        add(&cache, "debian-3", 3);
        add(&cache, "debian-2", 2);
        let name = |spec| cache.find(spec, Arch::X86_64).unwrap().map(|e| e.name);
        assert_eq!(name("debian").as_deref(), Some("debian-3"));
        assert_eq!(name("debian-1").as_deref(), Some("debian-1"));
        assert_eq!(name("fast"), None);
        assert_eq!(cache.find("debian", Arch::Aarch64).unwrap(), None);
        assert_eq!(cache.entry("debian-2").unwrap().created, 2);
    }

    #[test]
    fn an_entry_knows_its_files_and_their_size() {
        let dir = tempfile::tempdir().unwrap();
        let entry = add(&Cache::at(dir.path()), "debian-1", 1);
        assert_eq!(entry.size, 100);
        assert_eq!(fs::read(entry.image()).unwrap().len(), 100);
    }

    #[test]
    fn replacing_and_removing_leave_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        add(&cache, "debian-1", 1);
        add(&cache, "debian-1", 2);
        assert_eq!(cache.entries().unwrap().len(), 1);
        cache.remove("debian-1", &Silent).unwrap();
        assert_eq!(cache.entries().unwrap(), []);
        assert_eq!(fs::read_dir(dir.path().join("staging")).unwrap().count(), 0);
    }

    #[test]
    fn names_that_lead_out_of_the_cache_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().join("cache"));
        fs::create_dir_all(dir.path().join("cache/kernels")).unwrap();
        fs::create_dir(dir.path().join("precious")).unwrap();
        for name in ["..", ".", "", "../../precious", "/etc"] {
            assert!(
                matches!(cache.remove(name, &Silent), Err(CacheError::NoEntry { .. })),
                "{name}"
            );
        }
        assert!(dir.path().join("precious").exists());
    }

    #[test]
    fn a_staged_entry_that_is_not_committed_vanishes() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        let path = cache.stage().unwrap().path().to_path_buf();
        assert!(!path.exists());
        assert_eq!(cache.entries().unwrap(), []);
    }

    #[test]
    fn what_a_killed_process_staged_is_removed_and_a_live_one_s_work_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        let live = cache.stage().unwrap();
        let orphan = dir.path().join("staging/orphan");
        fs::create_dir(&orphan).unwrap();
        let _other = cache.stage().unwrap();
        assert!(live.path().exists());
        assert!(!orphan.exists());
    }

    #[test]
    fn damaged_entries_are_not_listed_but_can_be_removed() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        let entry = add(&cache, "debian-1", 1);
        fs::write(entry.dir.join("entry.json"), "{").unwrap();
        assert_eq!(cache.entries().unwrap(), []);
        assert!(matches!(cache.entry("debian-1"), Err(CacheError::Damaged { .. })));
        cache.remove("debian-1", &Silent).unwrap();
    }

    #[test]
    fn a_derived_file_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        let path = cache.file("vmlinux", "a", || Ok::<_, CacheError>(b"one".to_vec())).unwrap();
        let again = cache.file("vmlinux", "a", || Ok::<_, CacheError>(b"two".to_vec())).unwrap();
        assert_eq!(path, again);
        assert_eq!(fs::read(path).unwrap(), b"one");
    }

    #[test]
    fn the_cache_s_place_follows_the_environment_and_relative_paths_do_not_count() {
        let at = |set: &'static [(&str, &str)]| {
            place(|name| {
                set.iter().find(|(n, _)| *n == name).map(|(_, value)| PathBuf::from(value))
            })
        };
        assert_eq!(at(&[]), None);
        assert_eq!(at(&[("HOME", "/h")]), Some("/h/.cache/kharness".into()));
        assert_eq!(at(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]), Some("/x/kharness".into()));
        assert_eq!(
            at(&[("HOME", "/h"), ("XDG_CACHE_HOME", "x")]),
            Some("/h/.cache/kharness".into())
        );
        assert_eq!(at(&[("KHARNESS_CACHE", "/k"), ("HOME", "/h")]), Some("/k".into()));
    }

    #[test]
    fn more_room_than_any_disk_has_is_refused_with_both_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        cache.expect_room(1).unwrap();
        let error = cache.expect_room(u64::MAX).unwrap_err();
        assert!(matches!(error, CacheError::TooSmall { needed: u64::MAX, .. }), "{error}");
    }

    #[test]
    fn the_lock_keeps_others_out_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        let lock = cache.lock("a", &Silent).unwrap();
        let file = fs::File::create(dir.path().join("locks/a")).unwrap();
        assert!(file.try_lock().is_err());
        drop(lock);
        assert!(file.try_lock().is_ok());
    }
}
