//! Which files are scenarios, and which of them are selected.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::load::{Loaded, load};
use super::model::Cell;
use super::problem::Problem;

/// Where scenarios are when nothing says otherwise, and what their ids are counted from.
pub const ROOT: &str = "scenarios";

/// A scenario file and the id of its scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Path below [`ROOT`], or else below the directory that was given, without extension.
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
    /// Only these cells of matrices: `AXIS=VALUE`, joined by commas; may be given again
    #[arg(long, value_name = "CELL")]
    pub cell: Vec<Cell>,
}

/// What is looked for, as the answer to "why was nothing found?".
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<_> = self.roots().iter().map(|path| path.display().to_string()).collect();
        write!(f, "no scenario (*.yaml) below {}", paths.join(", "))?;
        if !self.tags.is_empty() {
            write!(f, " with a tag of {}", self.tags.join(", "))?;
        }
        if let Some(text) = &self.filter {
            write!(f, " with `{text}` in its id or name")?;
        }
        if !self.cell.is_empty() {
            let cells: Vec<String> = self.cell.iter().map(Cell::to_string).collect();
            write!(f, " in a cell {}", cells.join(" or "))?;
        }
        Ok(())
    }
}

impl Selection {
    /// Loads everything that is selected, sorted by id.
    ///
    /// # Errors
    /// Everything that is wrong with any file, selected or not: a broken file must not drop out
    /// of a run unseen.
    pub fn load(&self) -> Result<Vec<Loaded>, Vec<Problem>> {
        let (found, mut problems) = self.find();
        let mut loaded = Vec::new();
        for Found { id, path } in found {
            match load(&path, &id) {
                Ok(cells) => loaded.extend(cells),
                Err(wrong) => problems.extend(wrong),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        loaded.retain(|scenario| self.takes(scenario));
        Ok(loaded)
    }

    /// The files, sorted by id, each once; and what could not be looked at.
    fn find(&self) -> (Vec<Found>, Vec<Problem>) {
        let mut found = Vec::new();
        let mut problems = Vec::new();
        for path in self.roots() {
            if let Err(error) = find_below(&path, &mut found) {
                problems.push(Problem::of_path(&path, format!("cannot read it: {error}")));
            }
        }
        found.sort_by(|left, right| (&left.id, &left.path).cmp(&(&right.id, &right.path)));
        found.dedup();
        problems.extend(same_ids(&found));
        (found, problems)
    }

    fn roots(&self) -> Vec<PathBuf> {
        if self.paths.is_empty() { vec![PathBuf::from(ROOT)] } else { self.paths.clone() }
    }

    fn takes(&self, loaded: &Loaded) -> bool {
        let scenario = &loaded.scenario;
        let name = scenario.name.as_deref().unwrap_or_default();
        let tagged = |tag| scenario.tags.contains(tag);
        let named = |text: &String| loaded.id.contains(text) || name.contains(text);
        (self.tags.is_empty() || self.tags.iter().any(tagged))
            && self.filter.as_ref().is_none_or(named)
            && (self.cell.is_empty() || self.cell.iter().any(|cell| loaded.cell.has(cell)))
    }
}

fn find_below(path: &Path, found: &mut Vec<Found>) -> io::Result<()> {
    let root = root_of(path);
    if !path.metadata()?.is_dir() {
        found.push(Found { id: id_of(path, root), path: path.to_owned() });
        return Ok(());
    }
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

/// Results are found by id, so two scenarios must not share one.
fn same_ids(found: &[Found]) -> Vec<Problem> {
    let mut seen: HashMap<&str, &Path> = HashMap::new();
    let mut problems = Vec::new();
    for Found { id, path } in found {
        if let Some(first) = seen.insert(id, path) {
            let message = format!("has the same id `{id}` as {}", first.display());
            problems.push(Problem::of_path(path, message));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_from_the_scenarios_directory_wherever_it_is() {
        let id = |path: &str| id_of(Path::new(path), root_of(Path::new(path)));
        assert_eq!(id("scenarios/oom/global.yaml"), "oom/global");
        assert_eq!(id("/a/scenarios/oom/global.yaml"), "oom/global");
        assert_eq!(id("mine/global.yml"), "global");
        assert_eq!(id("global.yaml"), "global");
    }
}
