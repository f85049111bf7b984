//! How much of a build is done, and how much there is.
//!
//! Kbuild keeps the command of everything it makes in a file `.NAME.cmd` beside it: their number tells
//! how far an earlier, interrupted build came. How many there will be is known from the last build
//! of the profile, or, before the first one, from one that was measured.

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::super::{Cache, CacheError};

/// The steps of one build.
#[derive(Debug)]
pub(super) struct Steps {
    /// Steps that an earlier attempt did.
    pub before: u64,
    /// Steps that there will be, as far as one can know.
    pub expected: u64,
    /// Where the number of steps of the last build is kept.
    record: PathBuf,
}

impl Steps {
    /// The steps of a build of `profile` in `objects`; a first one is taken to have `usual`.
    pub fn of(
        cache: &Cache,
        profile: &str,
        usual: u64,
        objects: &Path,
    ) -> Result<Self, CacheError> {
        let record = cache.directory("build")?.join(format!("{profile}.steps"));
        let last = fs::read_to_string(&record).ok().and_then(|text| text.trim().parse().ok());
        Ok(Self { before: made(objects), expected: last.unwrap_or(usual), record })
    }

    /// Keeps the number for the next build. Without it, that one's progress is less exact.
    pub fn record(&self, done: u64) {
        let _ = fs::write(&self.record, format!("{}\n", self.before + done));
    }
}

/// Steps that were done, from the files that they left. One step in six is silent: it is not among
/// those that make tells of.
fn made(objects: &Path) -> u64 {
    let files = WalkDir::new(objects).into_iter().flatten();
    let commands = files.filter(|entry| {
        let name = entry.file_name().to_string_lossy();
        name.starts_with('.') && name.ends_with(".cmd")
    });
    commands.count() as u64 * 5 / 6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_build_begins_where_it_stopped_and_a_finished_one_tells_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().join("cache"));
        let objects = dir.path().join("objects/kernel");
        fs::create_dir_all(&objects).unwrap();
        for number in 0..12 {
            fs::write(objects.join(format!(".{number}.o.cmd")), "").unwrap();
            fs::write(objects.join(format!("{number}.o")), "").unwrap();
        }
        let of = || Steps::of(&cache, "fast", 1500, dir.path()).unwrap();
        assert_eq!((of().before, of().expected), (10, 1500));
        of().record(90);
        assert_eq!(of().expected, 100);
    }
}
