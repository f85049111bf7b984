//! A new module to begin with.

use std::fs;
use std::path::{Path, PathBuf};

use super::ModuleBuildError;

const MODULE: &str = include_str!("template/module.rs");
const SCENARIO: &str = include_str!("template/scenario.yaml");

/// Longest name that the kernel takes (`MODULE_NAME_LEN` in include/linux/module.h), without the
/// zero at its end, on a 64-bit machine.
const LONGEST: usize = 55;

/// The files of a new module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The source.
    pub source: PathBuf,
    /// A scenario that loads it.
    pub scenario: PathBuf,
}

/// Makes the module `name`, and a scenario for it, in the project at `root`: `modules/NAME/NAME.rs`
/// and `scenarios/NAME.yaml`; in a directory with `guest-image/modules`, there.
///
/// # Errors
/// When it is no name for a module, or a file is there already.
pub fn create(name: &str, root: &Path) -> Result<Created, ModuleBuildError> {
    if !is_name(name) {
        return Err(ModuleBuildError::Name { name: name.into() });
    }
    let nested = root.join("guest-image/modules");
    let modules = if nested.is_dir() { nested } else { root.join("modules") };
    let created = Created {
        source: modules.join(name).join(format!("{name}.rs")),
        scenario: root.join("scenarios").join(format!("{name}.yaml")),
    };
    for path in [&created.source, &created.scenario] {
        if path.exists() {
            return Err(ModuleBuildError::Exists { path: path.clone() });
        }
    }
    write(&created.source, &MODULE.replace("NAME", name))?;
    write(&created.scenario, &SCENARIO.replace("NAME", name))?;
    Ok(created)
}

fn is_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.len() <= LONGEST
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(word)
}

fn write(path: &Path, text: &str) -> Result<(), ModuleBuildError> {
    let dir = path.parent().unwrap_or(path);
    fs::create_dir_all(dir)
        .and_then(|()| fs::write(path, text))
        .map_err(|e| ModuleBuildError::io(path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_there_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let created = create("kh_new", dir.path()).unwrap();
        let text = fs::read_to_string(&created.source).unwrap();
        assert!(text.contains("name: \"kh_new\""), "{text}");
        let again = create("kh_new", dir.path()).unwrap_err();
        assert!(matches!(again, ModuleBuildError::Exists { .. }), "{again}");
    }

    #[test]
    fn a_name_that_the_kernel_or_rust_would_not_take_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["", "../x", "9lives", "kh-new", "a b", &"x".repeat(56)] {
            let error = create(name, dir.path()).unwrap_err();
            assert!(matches!(error, ModuleBuildError::Name { .. }), "{error}");
        }
    }
}
