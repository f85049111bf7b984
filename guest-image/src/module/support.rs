//! The support crate of test modules, which this program carries along.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::ModuleBuildError;
use crate::kernel::Cache;

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../modules/kharness/", $name)))),+]
    };
}

/// Its files.
const FILES: [(&str, &str); 13] = files![
    "budget.rs",
    "case.rs",
    "check.rs",
    "checkpoint.rs",
    "lib.rs",
    "params.rs",
    "prelude.rs",
    "print.rs",
    "random.rs",
    "shim.c",
    "shim.rs",
    "suite.rs",
    "thread.rs",
];

/// Adds the crate to the hash of a module.
pub(super) fn hash(hasher: &mut Sha256) {
    for (name, text) in FILES {
        hasher.update(name);
        hasher.update([0]);
        hasher.update(text);
    }
}

/// The crate's directory in `cache`, written when it is not there yet: debuggers and compilers show
/// its lines.
pub(super) fn directory(cache: &Cache) -> Result<PathBuf, ModuleBuildError> {
    let mut hasher = Sha256::new();
    hash(&mut hasher);
    let name = format!("kharness-{}", super::identity::short(hasher));
    let dir = cache.root().join("support").join(&name);
    if !dir.is_dir() {
        let staging = cache.stage()?;
        write(staging.path())?;
        cache.place(staging, "support", &name)?;
    }
    Ok(dir)
}

fn write(dir: &Path) -> Result<(), ModuleBuildError> {
    for (name, text) in FILES {
        let path = dir.join(name);
        fs::write(&path, text).map_err(|e| ModuleBuildError::io(path, e))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_crate_is_carried_along() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("modules/kharness");
        let mut there: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        there.sort();
        assert_eq!(there, FILES.map(|(name, _)| name));
    }
}
