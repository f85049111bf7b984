//! What people name as a baseline: a file, a directory, or a run of the history.

use std::path::{Path, PathBuf};

use super::baseline::{Baseline, BaselineError};
use super::known::Known;
use super::side::Side;
use crate::history::{HistoryError, Store};
use crate::results::{ReadError, read_all};

/// A baseline, wherever it came from.
#[derive(Debug, Default)]
pub struct Base {
    /// What was seen.
    pub side: Side,
    /// Failures that are known.
    pub known: Vec<Known>,
}

/// Why there is no baseline.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// A baseline file.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// Results.
    #[error(transparent)]
    Results(#[from] ReadError),
    /// The history.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// No file, and no run.
    #[error(
        "no baseline {0}: neither a file or directory, nor a run, a kernel release or `last` in \
         the history ({1})"
    )]
    Unknown(String, String),
}

/// The baseline that `name` stands for: a path; or in the history at `store` a run's id, the
/// release of a kernel (all of its runs), or `last`.
///
/// # Errors
/// When there is none.
pub fn load_base(name: &str, store: Option<&Path>) -> Result<Base, ReferenceError> {
    let path = PathBuf::from(name);
    if path.is_file()
        && path.extension().is_none_or(|end| end != "jsonl")
        && let Some(Baseline { side, known, .. }) = Baseline::read(&path)?
    {
        return Ok(Base { side, known });
    }
    if path.exists() {
        let side = Side::of(&read_all(&[path])?);
        return Ok(Base { side, known: Vec::new() });
    }
    let unknown = |place: String| ReferenceError::Unknown(name.to_owned(), place);
    let store = store.filter(|store| store.is_file());
    let store = store.ok_or_else(|| unknown("there is none".to_owned()))?;
    let side = Store::open(store)?.side(name)?;
    let side = side.ok_or_else(|| unknown(store.display().to_string()))?;
    Ok(Base { side, known: Vec::new() })
}
