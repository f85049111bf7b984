//! Cgroups, version 2 (Documentation/admin-guide/cgroup-v2.rst).

use std::fs;
use std::path::{Component, Path, PathBuf};

use agent_protocol::Failure;

use crate::failure::{Context, failure};

const ROOT: &str = "/sys/fs/cgroup";

/// Moves process `pid` into the cgroup `name`, which is made if missing.
pub fn join(name: &str, pid: u32) -> Result<(), Failure> {
    let directory = make(Path::new(name))?;
    fs::write(directory.join("cgroup.procs"), pid.to_string())
        .context(|| format!("cannot move process {pid} into cgroup {name}"))
}

/// Makes the cgroup whose file `path` is; does nothing for paths elsewhere.
pub fn make_for(path: &str) -> Result<(), Failure> {
    let below = Path::new(path).strip_prefix(ROOT).ok();
    let Some(cgroup) = below.and_then(Path::parent) else {
        return Ok(());
    };
    make(cgroup).map(drop)
}

/// Makes a cgroup and those above it, with all controllers of the root passed down to it.
fn make(name: &Path) -> Result<PathBuf, Failure> {
    let mut directory = PathBuf::from(ROOT);
    for part in name.components() {
        let Component::Normal(part) = part else {
            return Err(failure(format!("{} is not a name of a cgroup", name.display())));
        };
        let controllers = pass_down(&directory);
        directory.push(part);
        if !directory.is_dir() {
            controllers?;
            fs::create_dir(&directory)
                .context(|| format!("cannot make cgroup {}", directory.display()))?;
        }
    }
    Ok(directory)
}

/// Switches on in the children of `directory` what is on in itself.
fn pass_down(directory: &Path) -> Result<(), Failure> {
    if directory == Path::new(ROOT) {
        return Ok(());
    }
    let available = fs::read_to_string(directory.join("cgroup.controllers")).unwrap_or_default();
    let words: Vec<String> = available.split_whitespace().map(|name| format!("+{name}")).collect();
    fs::write(directory.join("cgroup.subtree_control"), words.join(" ")).context(|| {
        format!(
            "cannot pass controllers down from cgroup {}: a cgroup with processes of its own \
             has no children with controllers",
            directory.display()
        )
    })
}

/// Switches `controllers` on in the children of cgroup `directory`, as far as the kernel has
/// them; gives what failed, a line each.
pub fn enable(directory: &Path, controllers: &[&str]) -> Vec<String> {
    let available = fs::read_to_string(directory.join("cgroup.controllers")).unwrap_or_default();
    let words: Vec<String> = controllers
        .iter()
        .filter(|&&wanted| available.split_whitespace().any(|name| name == wanted))
        .map(|name| format!("+{name}"))
        .collect();
    let result = fs::write(directory.join("cgroup.subtree_control"), words.join(" "));
    let warning = result.err().map(|error| format!("cgroup controllers {words:?}: {error}"));
    warning.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_does_not_leave_the_hierarchy() {
        for name in ["../x", "/x", "a/../../x"] {
            assert!(make(Path::new(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn files_elsewhere_make_no_cgroup() {
        assert_eq!(make_for("/proc/sys/vm/panic_on_oom"), Ok(()));
    }
}
