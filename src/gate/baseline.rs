//! A baseline as a file: what the tool saw, and failures that people know of.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::known::Known;
use super::side::Side;

/// Version of the file.
const SCHEMA: u32 = 1;

/// What the tool writes with `--write-baseline`. People edit `known`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Baseline {
    /// Version of this file's shape, under a name that no results document has.
    pub baseline_schema: u32,
    /// Failures that are known.
    #[serde(default)]
    pub known: Vec<Known>,
    /// What was seen.
    pub side: Side,
}

/// Why a baseline cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The file cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the host says.
        error: io::Error,
    },
    /// It is not JSON, or not of this shape.
    #[error("{path}:{}:{}: not a baseline: {error}", .error.line(), .error.column())]
    Shape {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        error: serde_json::Error,
    },
    /// It is from a later version.
    #[error(
        "{path} is a baseline of schema {found}; this kharness reads up to {SCHEMA}: update it"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
}

impl Baseline {
    /// A baseline of what was seen.
    pub fn new(side: Side, known: Vec<Known>) -> Self {
        Self { baseline_schema: SCHEMA, known, side }
    }

    /// Reads the file; `None` where it is JSON of another kind.
    ///
    /// # Errors
    /// When it cannot be read, or not by this version.
    pub fn read(path: &Path) -> Result<Option<Self>, BaselineError> {
        let shape = |error| BaselineError::Shape { path: path.to_owned(), error };
        let text = fs::read_to_string(path)
            .map_err(|error| BaselineError::Io { path: path.to_owned(), error })?;
        let value: serde_json::Value = serde_json::from_str(&text).map_err(shape)?;
        if value.get("baseline_schema").is_none() {
            return Ok(None);
        }
        let baseline: Self = serde_json::from_str(&text).map_err(shape)?;
        if baseline.baseline_schema > SCHEMA {
            let found = baseline.baseline_schema;
            return Err(BaselineError::Newer { path: path.to_owned(), found });
        }
        Ok(Some(baseline))
    }

    /// Replaces the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), BaselineError> {
        let io = |error| BaselineError::Io { path: path.to_owned(), error };
        let mut text = serde_json::to_string_pretty(self).map_err(|error| io(error.into()))?;
        text.push('\n');
        let partial = path.with_extension("partial");
        fs::write(&partial, text).and_then(|()| fs::rename(&partial, path)).map_err(io)
    }
}
