//! Reads a booted guest. Whatever is used of it was copied and compared with the manifest before: nobody who changes or cuts a
//! file later changes a guest.

use std::fs::File;
use std::path::{Path, PathBuf};

use inspect::dump::Manifest;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use vmm::Saved;

use super::write::{CONSOLE, HARNESS, MACHINE, failed};
use super::{About, Identity, SavedBootError, copy};

/// Bytes of a state or a console: more than any has.
const MOST: u64 = 256 << 20;

/// A booted guest that was read, whole.
#[derive(Debug)]
pub struct SavedBoot {
    path: PathBuf,
    /// What was known of it.
    pub about: About,
    /// What it had printed.
    pub console: Vec<u8>,
    saved: Saved,
}

impl SavedBoot {
    /// The guest in the directory `path`.
    ///
    /// # Errors
    /// When anything of it is missing, or not what was saved.
    pub fn read(path: &Path) -> Result<Self, SavedBootError> {
        let manifest = Manifest::read(path)?;
        let about = state(path, &manifest, HARNESS)?;
        let about: About = serde_json::from_slice(&about).map_err(|error| {
            SavedBootError::Damaged { path: path.join(HARNESS), how: error.to_string() }
        })?;
        if manifest.memory.length != about.identity.memory {
            let (has, of) = (manifest.memory.length, about.identity.memory);
            let how = format!("it has {has} bytes, and its machine {of}");
            return Err(SavedBootError::Damaged { path: manifest.memory_path(path), how });
        }
        let console = state(path, &manifest, CONSOLE)?;
        let machine = sealed(path, |file| {
            copy::write(file, &state(path, &manifest, MACHINE)?).map_err(failed(path))
        })?;
        let memory = sealed(path, |file| memory(path, &manifest, file))?;
        Ok(Self { path: path.to_owned(), about, console, saved: Saved { memory, state: machine } })
    }

    /// The guest, for one group of copies more.
    ///
    /// # Errors
    /// When the host has no descriptors left.
    pub fn saved(&self) -> std::io::Result<Saved> {
        Ok(Saved { memory: self.saved.memory.try_clone()?, state: self.saved.state.try_clone()? })
    }

    /// Refuses it unless `test`, whose guest would be `wanted`, can be a copy of it.
    ///
    /// # Errors
    /// When that differs; the words say in what.
    pub fn check(&self, test: &str, wanted: &Identity) -> Result<(), SavedBootError> {
        let (path, test) = (self.path.clone(), test.to_owned());
        match self.about.identity.difference(wanted) {
            Some(why) => Err(SavedBootError::Foreign { path, test, why }),
            None => Ok(()),
        }
    }
}

fn state(dir: &Path, manifest: &Manifest, name: &'static str) -> Result<Vec<u8>, SavedBootError> {
    let entry = manifest.state.iter().find(|state| state.file == name);
    let entry = entry.ok_or(SavedBootError::NoState { path: dir.to_owned(), file: name })?;
    let path = dir.join(name);
    let file = open(&path)?;
    let (bytes, sha256) = copy::read(&file, MOST).map_err(failed(&path))?;
    same(&path, &sha256, &entry.sha256)?;
    Ok(bytes)
}

fn memory(dir: &Path, manifest: &Manifest, to: &File) -> Result<String, SavedBootError> {
    let path = manifest.memory_path(dir);
    let sha256 = copy::copy(&open(&path)?, to, manifest.memory.length).map_err(failed(&path))?;
    let wanted = manifest.memory.sha256.as_deref().unwrap_or("not stated");
    same(&path, &sha256, wanted)?;
    Ok(sha256)
}

/// Opens a regular file: a FIFO would have to be waited for.
fn open(path: &Path) -> Result<File, SavedBootError> {
    let kind = std::fs::metadata(path).map_err(failed(path))?.file_type();
    if !kind.is_file() {
        let how = "it is no file".to_owned();
        return Err(SavedBootError::Damaged { path: path.to_owned(), how });
    }
    File::open(path).map_err(failed(path))
}

fn same(path: &Path, found: &str, wanted: &str) -> Result<(), SavedBootError> {
    if found == wanted {
        return Ok(());
    }
    let how = "its content is not what was saved (SHA-256 differs)".to_owned();
    Err(SavedBootError::Damaged { path: path.to_owned(), how })
}

/// A file without a name that nobody changes once `fill` is done.
fn sealed(
    path: &Path,
    fill: impl FnOnce(&File) -> Result<String, SavedBootError>,
) -> Result<File, SavedBootError> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = memfd_create("kharness-boot", flags).map_err(std::io::Error::from);
    let file = File::from(file.map_err(failed(path))?);
    fill(&file)?;
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    fcntl_add_seals(&file, seals).map_err(std::io::Error::from).map_err(failed(path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::fs::FileExt;
    use std::time::Duration;

    use super::super::{Booted, Target, identity};
    use super::*;
    use crate::memory::Layout;
    use crate::run::{Boot, Past};

    fn about() -> About {
        let boot = Boot { after: Duration::from_secs(5), release: "7.3".into(), warnings: vec![] };
        let past = Past { boot, steps: Vec::new(), before: None, next_id: 4 };
        let holds = BTreeMap::from([("/init".to_owned(), "755 file ab".to_owned())]);
        About::new(identity::example(), holds, &past)
    }

    fn saved() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("boot");
        let (memory, state) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        memory.write_all_at(&[7; 100], 50).unwrap();
        memory.set_len(4096).unwrap();
        state.write_all_at(b"cpus and devices", 0).unwrap();
        let target = Target::new(&path).unwrap();
        target.take(Ok(Booted {
            about: &about(),
            saved: &Saved { memory, state },
            registers: &[[("rip", 1)].into_iter().collect()],
            layout: Layout::Pc,
            backend: vmm::Backend::QemuTcg,
            console: b"Linux version\n",
        }));
        target.outcome().unwrap();
        (dir, path)
    }

    #[test]
    fn a_boot_is_read_back_as_saved_and_is_a_snapshot_too() {
        let (_dir, path) = saved();
        let boot = SavedBoot::read(&path).unwrap();
        assert_eq!((&boot.about, &boot.console[..]), (&about(), &b"Linux version\n"[..]));
        let mut bytes = [0; 151];
        boot.saved().unwrap().memory.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!((bytes[49], bytes[50], bytes[149], bytes[150]), (0, 7, 7, 0));
        assert!(boot.saved.memory.set_len(1).is_err(), "nobody cuts it");
        Manifest::read(&path).unwrap().verify(&path).unwrap();
        let past = boot.about.past();
        assert_eq!((past.boot.after, past.next_id), (Duration::from_secs(5), 4));
    }

    #[test]
    fn each_file_that_is_missing_cut_or_changed_is_named() {
        for name in ["memory.img", MACHINE, HARNESS, CONSOLE, "manifest.json"] {
            let (_dir, path) = saved();
            let file = path.join(name);
            let before = fs::read(&file).unwrap();
            let refused = |bytes: &[u8]| {
                fs::write(&file, bytes).unwrap();
                let words = SavedBoot::read(&path).unwrap_err().to_string();
                assert!(words.contains(name), "{words}");
            };
            refused(&before[..before.len() - 1]);
            refused(&[]);
            let mut changed = before.clone();
            changed[before.len() / 2] ^= 0xff;
            refused(&changed);
            fs::remove_file(&file).unwrap();
            let words = SavedBoot::read(&path).unwrap_err().to_string();
            assert!(words.contains(name), "{words}");
        }
    }

    #[test]
    fn a_snapshot_that_was_not_saved_for_copies_is_none() {
        let (_dir, path) = saved();
        let manifest = Manifest { state: Vec::new(), ..Manifest::read(&path).unwrap() };
        manifest.write(&path).unwrap();
        let words = SavedBoot::read(&path).unwrap_err().to_string();
        assert!(words.contains("looked into but not run"), "{words}");
    }

    #[test]
    fn nothing_is_saved_over_something_else() {
        let (_dir, path) = saved();
        assert!(matches!(Target::new(&path), Err(SavedBootError::Occupied { .. })));
    }

    #[test]
    fn another_guest_is_refused_with_the_test_and_the_reason() {
        let (_dir, path) = saved();
        let boot = SavedBoot::read(&path).unwrap();
        let same = identity::example();
        boot.check("t", &same).unwrap();
        let mut wanted = same;
        wanted.backend = "kvm".into();
        let words = boot.check("locking/x", &wanted).unwrap_err().to_string();
        assert!(words.contains("locking/x") && words.contains("and kvm is wanted"), "{words}");
    }
}
