//! Why a module could not be had.

use std::io;
use std::path::PathBuf;

/// Why a module could not be found or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleError {
    /// The tree has no module of this name, nor is it built in.
    #[error("no kernel module {name:?} in {}{}{}", tree.display(), needed(needed_by.as_deref()), similar(nearest))]
    NotFound {
        /// The module's name.
        name: String,
        /// The module that depends on it, unless it was asked for itself.
        needed_by: Option<String>,
        /// The tree that was searched.
        tree: PathBuf,
        /// Names there are that look like it.
        nearest: Vec<String>,
    },

    /// Modules that depend on each other.
    #[error("the kernel modules {} depend on each other in a circle", names.join(" -> "))]
    Circle {
        /// The modules, in order of dependence; the first again at the end.
        names: Vec<String>,
    },

    /// A file of the tree cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// A file that is no kernel module.
    #[error("{} is no kernel module: {what}; install the kernel's modules again, or rebuild them", path.display())]
    NotAModule {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

fn needed(by: Option<&str>) -> String {
    by.map(|by| format!(", needed by {by}")).unwrap_or_default()
}

fn similar(nearest: &[String]) -> String {
    if nearest.is_empty() { String::new() } else { format!("; similar: {}", nearest.join(", ")) }
}
