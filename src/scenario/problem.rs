//! What is wrong with a scenario file, and where.

use std::path::Path;
use std::sync::Arc;

use super::source::{Place, Source};

/// One thing wrong with a scenario file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// The file.
    pub file: Arc<Source>,
    /// Where; nowhere when the file could not be read.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    /// Something wrong with a file as a whole.
    pub fn of_path(path: &Path, message: impl Into<String>) -> Self {
        let name = path.display().to_string();
        Self {
            file: Arc::new(Source { name, text: String::new() }),
            place: None,
            message: message.into(),
            help: None,
        }
    }

    /// The same, and what to do.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// Collects what is wrong with one file, so that all of it is told at once.
#[derive(Debug)]
pub struct Problems {
    file: Arc<Source>,
    found: Vec<Problem>,
}

impl Problems {
    /// Nothing wrong with `file` yet.
    pub fn new(file: Arc<Source>) -> Self {
        Self { file, found: Vec::new() }
    }

    /// Something is wrong at `place`.
    pub fn add(&mut self, place: Place, message: impl Into<String>) {
        self.push(place, message.into(), None);
    }

    /// Something is wrong at `place`, and `help` says what to do.
    pub fn add_with_help(
        &mut self,
        place: Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(place, message.into(), Some(help.into()));
    }

    fn push(&mut self, place: Place, message: String, help: Option<String>) {
        self.found.push(Problem {
            file: Arc::clone(&self.file),
            place: Some(place),
            message,
            help,
        });
    }

    /// The file.
    pub fn file(&self) -> &Source {
        &self.file
    }

    /// How many there are so far.
    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// The value, unless anything is wrong; then all of it, in the order of the file.
    pub fn or<T>(mut self, value: T) -> Result<T, Vec<Problem>> {
        if self.found.is_empty() {
            return Ok(value);
        }
        self.found.sort_by_key(|problem| problem.place);
        Err(self.found)
    }
}
