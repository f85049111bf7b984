//! Which files are scenarios, and which of them are selected.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::load::{Loaded, load};
use super::problem::Problem;

/// Where scenarios are when nothing says otherwise.
pub const ROOT: &str = "scenarios";

/// What went wrong while scenarios were looked for.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// A path that cannot be looked at.
    #[error("cannot read {}: {source}; name a scenario file or a directory of them", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// The host's words.
        source: io::Error,
    },
    /// Two files that would have the same id.
    #[error("{} and {} have the same id `{id}`: name one of them, or a directory above both", first.display(), second.display())]
    SameId {
        /// The id.
        id: String,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// Scenario files with mistakes.
    #[error("{} problems in scenario files", .0.len())]
    Bad(Vec<Problem>),
}

/// A scenario file and the id of its scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Path below the directory that was given, without extension; `/` between its parts.
    pub id: String,
    /// The file.
    pub path: PathBuf,
}

/// Which scenarios to take.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Selection {
    /// Scenario files, or directories of them [default: scenarios]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Only scenarios with one of these tags
    #[arg(short, long, value_name = "TAG", value_delimiter = ',')]
    pub tags: Vec<String>,
    /// Only scenarios whose id or name contains TEXT
    #[arg(short, long, value_name = "TEXT")]
    pub filter: Option<String>,
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<_> = self.roots().iter().map(|path| path.display().to_string()).collect();
        write!(f, "no scenario (*.yaml) below {}", paths.join(", "))?;
        if !self.tags.is_empty() {
            write!(f, " with a tag of {}", self.tags.join(", "))?;
        }
        self.filter.as_ref().map_or(Ok(()), |text| write!(f, " with `{text}` in its name"))
    }
}

impl Selection {
    fn roots(&self) -> Vec<PathBuf> {
        if self.paths.is_empty() { vec![PathBuf::from(ROOT)] } else { self.paths.clone() }
    }

    /// Loads everything that is selected, sorted by id.
    ///
    /// # Errors
    /// When a path cannot be read, ids collide, or any file has a mistake: selection reads all of
    /// them, and a broken file must not drop out of a run unseen.
    pub fn load(&self) -> Result<Vec<Loaded>, DiscoverError> {
        let mut loaded = Vec::new();
        let mut problems = Vec::new();
        for Found { id, path } in self.find()? {
            match load(&path, id) {
                Ok(scenario) => loaded.push(scenario),
                Err(found) => problems.extend(found),
            }
        }
        if !problems.is_empty() {
            return Err(DiscoverError::Bad(problems));
        }
        loaded.retain(|scenario| self.takes(scenario));
        Ok(loaded)
    }

    /// The files, whether selected or not, sorted by id.
    ///
    /// # Errors
    /// When a path cannot be read, or ids collide.
    pub fn find(&self) -> Result<Vec<Found>, DiscoverError> {
        let mut found = Vec::new();
        for path in self.roots() {
            find_below(&path, &mut found).map_err(|source| DiscoverError::Path { path, source })?;
        }
        found.sort_by(|left, right| (&left.id, &left.path).cmp(&(&right.id, &right.path)));
        found.dedup();
        unique_ids(&found)?;
        Ok(found)
    }

    fn takes(&self, loaded: &Loaded) -> bool {
        let scenario = &loaded.scenario;
        let tagged =
            self.tags.is_empty() || self.tags.iter().any(|tag| scenario.tags.contains(tag));
        let named = self.filter.as_ref().is_none_or(|text| {
            loaded.id.contains(text)
                || scenario.name.as_ref().is_some_and(|name| name.contains(text))
        });
        tagged && named
    }
}

fn find_below(path: &Path, found: &mut Vec<Found>) -> io::Result<()> {
    if !path.metadata()?.is_dir() {
        found.push(Found { id: id_of(path, root_of(path)), path: path.to_owned() });
        return Ok(());
    }
    let root = root_of(path);
    for entry in walkdir::WalkDir::new(path) {
        let entry = entry.map_err(io::Error::from)?;
        let is_yaml = entry.path().extension().is_some_and(|end| end == "yaml" || end == "yml");
        if entry.file_type().is_file() && is_yaml {
            found.push(Found { id: id_of(entry.path(), root), path: entry.into_path() });
        }
    }
    Ok(())
}

/// The directory that ids are counted from: the nearest `scenarios` above, else the directory
/// that was given, or that of the file that was given.
fn root_of(path: &Path) -> &Path {
    let named = path.ancestors().find(|above| above.file_name().is_some_and(|name| name == ROOT));
    let given = if path.is_dir() { Some(path) } else { path.parent() };
    named.or(given).unwrap_or(path)
}

fn id_of(path: &Path, root: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path).with_extension("");
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

fn unique_ids(found: &[Found]) -> Result<(), DiscoverError> {
    let mut seen: HashMap<&str, &Path> = HashMap::new();
    for Found { id, path } in found {
        if let Some(first) = seen.insert(id, path) {
            return Err(DiscoverError::SameId {
                id: id.clone(),
                first: first.to_owned(),
                second: path.clone(),
            });
        }
    }
    Ok(())
}
