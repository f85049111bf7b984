//! Where the snapshots of one test are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which moment of a guest a snapshot is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A crash, a hang, a timeout.
    Crash,
    /// After the last step, before the guest is switched off.
    End,
    /// After a step whose expectations speak of memory.
    Step(String),
    /// A `snapshot` step, by its name.
    Named(String),
}

impl Place {
    /// Its directory below that of the test.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Crash => PathBuf::from("snapshot"),
            Self::End => PathBuf::from("memory/end"),
            Self::Step(id) => Path::new("memory/after").join(id),
            Self::Named(name) => Path::new("snapshots").join(name),
        }
    }
}

/// The snapshots that were taken of one guest.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// Of a crash, a hang or a timeout.
    pub crash: Option<PathBuf>,
    /// Of the end.
    pub end: Option<PathBuf>,
    /// After steps, by their ids.
    pub steps: BTreeMap<String, PathBuf>,
    /// Of `snapshot` steps, by their names.
    pub named: BTreeMap<String, PathBuf>,
    /// Snapshots that were not taken, and why.
    pub problems: Vec<String>,
}

impl Memory {
    /// Takes note of a snapshot.
    pub fn note(&mut self, place: Place, path: PathBuf) {
        match place {
            Place::Crash => self.crash = Some(path),
            Place::End => self.end = Some(path),
            Place::Step(id) => drop(self.steps.insert(id, path)),
            Place::Named(name) => drop(self.named.insert(name, path)),
        }
    }

    /// The last moment that was saved: a crash, else the end.
    pub fn last(&self) -> Option<&PathBuf> {
        self.crash.as_ref().or(self.end.as_ref())
    }

    /// Removes what nobody will look at any more: everything of a test that passed, and what was
    /// saved for expectations only. Of one that failed the last moment is kept as `snapshot`.
    pub fn tidy(&mut self, dir: &Path, failed: bool) {
        let snapshot = dir.join(Place::Crash.path());
        if failed
            && self.crash.is_none()
            && let Some(end) = self.end.take()
            && fs::rename(&end, &snapshot).is_ok()
        {
            self.crash = Some(snapshot.clone());
        }
        // A file that stays is a nuisance, and no reason to fail a test.
        let _ = fs::remove_dir_all(dir.join("memory"));
        if !failed {
            let _ = fs::remove_dir_all(&snapshot);
            let _ = fs::remove_dir_all(dir.join("snapshots"));
            (self.crash, self.named) = (None, BTreeMap::new());
        }
        (self.end, self.steps) = (None, BTreeMap::new());
    }

    /// What steps left in the directory of a test: snapshots and vmcores, by name.
    pub fn artifacts(dir: &Path) -> Vec<PathBuf> {
        let listing = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
        let is_vmcore = |path: &PathBuf| path.extension().is_some_and(|it| it == "vmcore");
        let snapshots = listing(&dir.join("snapshots")).map(|entry| entry.path());
        let dumps = listing(dir).map(|entry| entry.path()).filter(is_vmcore);
        let mut all: Vec<PathBuf> = snapshots.chain(dumps).collect();
        all.sort();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(places: &[Place]) -> (tempfile::TempDir, Memory) {
        let dir = tempfile::tempdir().unwrap();
        let mut memory = Memory::default();
        for place in places {
            let path = dir.path().join(place.path());
            fs::create_dir_all(&path).unwrap();
            memory.note(place.clone(), path);
        }
        (dir, memory)
    }

    #[test]
    fn of_a_failed_test_the_last_moment_is_kept_as_its_snapshot() {
        let (dir, mut memory) = saved(&[Place::End, Place::Step("s1".into())]);
        memory.tidy(dir.path(), true);
        assert!(dir.path().join("snapshot").is_dir());
        assert!(!dir.path().join("memory").exists());
    }

    #[test]
    fn what_steps_left_is_listed_by_name() {
        let (dir, _) = saved(&[Place::Named("b".into()), Place::Named("a".into())]);
        fs::write(dir.path().join("x.vmcore"), "").unwrap();
        let names: Vec<_> = Memory::artifacts(dir.path())
            .iter()
            .map(|path| path.strip_prefix(dir.path()).unwrap().display().to_string())
            .collect();
        assert_eq!(names, ["snapshots/a", "snapshots/b", "x.vmcore"]);
    }

    #[test]
    fn of_a_test_that_passed_nothing_is_kept() {
        let (dir, mut memory) = saved(&[Place::Crash, Place::Named("a".into())]);
        memory.tidy(dir.path(), false);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(memory.crash.is_none() && memory.named.is_empty());
    }
}
