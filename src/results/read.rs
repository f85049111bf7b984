//! Results as files: a document, the journal of a run, a run's directory, or a tree of them.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::model::{Document, KernelInfo, RunInfo, SCHEMA, TestResult};

/// The names that a run gives to its document and its journal.
const DOCUMENT: &str = "results.json";
const JOURNAL: &str = "results.jsonl";

/// Directories looked into below the one that is named.
const DEPTH: usize = 6;

/// Why results cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read {path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the host says.
        error: io::Error,
    },
    /// It is not JSON, or not of this shape.
    #[error("{path}:{}:{}: not a results document: {error}", .error.line(), .error.column())]
    Shape {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        error: serde_json::Error,
    },
    /// It is from a later version.
    #[error("{path} has results of schema {found}; this kharness reads up to {SCHEMA}: update it")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u64,
    },
    /// The journal does not begin with a run.
    #[error("{path} does not begin with a line of event `started`: not the journal of a run")]
    Headless {
        /// The file.
        path: PathBuf,
    },
    /// There is nothing there.
    #[error("no results below {path}: no {DOCUMENT} and no {JOURNAL}")]
    Nothing {
        /// The directory.
        path: PathBuf,
    },
}

#[derive(Deserialize)]
struct Versioned {
    schema: u64,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line {
    Started { run: Box<RunInfo>, kernels: Vec<KernelInfo> },
    Result { result: Box<TestResult> },
    Finished { run: Box<RunInfo> },
}

/// Reads the results at `path`: a document, a journal (`*.jsonl`), or a run's directory. Files of
/// the run are looked for where the results are now, not where they were written.
///
/// # Errors
/// When there are none, or none that this version understands.
pub fn read(path: &Path) -> Result<Document, ReadError> {
    if path.is_dir() {
        return read_directory(path);
    }
    let is_journal = path.extension().is_some_and(|end| end == "jsonl");
    let document = if is_journal { read_journal(path) } else { read_document(path) };
    document.map(|document| moved(document, path))
}

/// Reads every document at or below `paths`, in the order of their names.
///
/// # Errors
/// When one of them cannot be read, or there is none below one of the paths.
pub fn read_all(paths: &[PathBuf]) -> Result<Vec<Document>, ReadError> {
    let mut documents = Vec::new();
    for path in paths {
        for found in places(path)? {
            documents.push(read(&found)?);
        }
    }
    Ok(documents)
}

/// `path` itself where it has results, or else every directory below that has.
fn places(path: &Path) -> Result<Vec<PathBuf>, ReadError> {
    if !path.is_dir() || has_results(path) {
        return Ok(vec![path.to_owned()]);
    }
    let walk = walkdir::WalkDir::new(path).max_depth(DEPTH).sort_by_file_name();
    let dirs = walk.into_iter().flatten().filter(|entry| entry.file_type().is_dir());
    let mut found: Vec<PathBuf> =
        dirs.map(walkdir::DirEntry::into_path).filter(|dir| has_results(dir)).collect();
    found.extend(loose_documents(path));
    if found.is_empty() { Err(ReadError::Nothing { path: path.to_owned() }) } else { Ok(found) }
}

/// Documents of any name right in a directory, as CI collects them.
fn loose_documents(dir: &Path) -> Vec<PathBuf> {
    let listing = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let named = listing.filter(|path| path.extension().is_some_and(|end| end == "json"));
    let mut found: Vec<PathBuf> = named.filter(|path| read_document(path).is_ok()).collect();
    found.sort();
    found
}

fn has_results(dir: &Path) -> bool {
    dir.join(DOCUMENT).is_file() || dir.join(JOURNAL).is_file()
}

/// The document of a run, or its journal where that knows more: the document of a run that was
/// killed may be a few results behind.
fn read_directory(dir: &Path) -> Result<Document, ReadError> {
    let (document, journal) = (dir.join(DOCUMENT), dir.join(JOURNAL));
    match (document.is_file(), journal.is_file()) {
        (false, false) => Err(ReadError::Nothing { path: dir.to_owned() }),
        (true, false) => read(&document),
        (false, true) => read(&journal),
        (true, true) => match read(&document) {
            Ok(whole) if !whole.run.interrupted => Ok(whole),
            Ok(partial) => Ok(fuller(partial, read(&journal).ok())),
            Err(error) => read(&journal).map_err(|_| error),
        },
    }
}

fn fuller(document: Document, journal: Option<Document>) -> Document {
    journal.filter(|j| j.results.len() > document.results.len()).unwrap_or(document)
}

fn moved(mut document: Document, path: &Path) -> Document {
    let dir = fs::canonicalize(path).ok().and_then(|path| Some(path.parent()?.to_owned()));
    if let Some(dir) = dir.filter(|dir| has_artifacts(&document, dir)) {
        document.run.dir = dir.display().to_string();
    }
    document
}

/// Whether files of the run are in `dir`, judged by the first that there should be.
fn has_artifacts(document: &Document, dir: &Path) -> bool {
    let first = document.results.iter().flat_map(|result| &result.artifacts).next();
    first.is_none_or(|artifact| dir.join(artifact).exists())
}

fn contents(path: &Path) -> Result<String, ReadError> {
    let bytes = fs::read(path).map_err(|error| ReadError::Io { path: path.to_owned(), error })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn read_document(path: &Path) -> Result<Document, ReadError> {
    let text = contents(path)?;
    let shape = |error| ReadError::Shape { path: path.to_owned(), error };
    check_version(path, &text)?;
    serde_json::from_str(&text).map_err(shape)
}

fn check_version(path: &Path, text: &str) -> Result<(), ReadError> {
    let Versioned { schema } = serde_json::from_str(text)
        .map_err(|error| ReadError::Shape { path: path.to_owned(), error })?;
    if schema > u64::from(SCHEMA) {
        return Err(ReadError::Newer { path: path.to_owned(), found: schema });
    }
    Ok(())
}

/// A run out of its journal. The last line may be cut: whatever ended the run cut it.
fn read_journal(path: &Path) -> Result<Document, ReadError> {
    let text = contents(path)?;
    let mut lines = text.lines();
    let headless = || ReadError::Headless { path: path.to_owned() };
    let first = lines.next().ok_or_else(headless)?;
    check_version(path, first)?;
    let Ok(Line::Started { run, kernels }) = serde_json::from_str(first) else {
        return Err(headless());
    };
    let mut document = Document {
        schema: SCHEMA,
        run: *run,
        kernels,
        results: Vec::new(),
        stale_allowances: Vec::new(),
    };
    document.run.interrupted = true;
    for line in lines.map_while(|line| serde_json::from_str(line).ok()) {
        match line {
            Line::Started { .. } => {}
            Line::Result { result } => document.results.push(*result),
            Line::Finished { run } => document.run = *run,
        }
    }
    in_plan_order(&mut document);
    Ok(document)
}

/// Tests end in any order; documents have the order of the plan.
fn in_plan_order(document: &mut Document) {
    let place = |id: &str| document.run.planned.iter().position(|planned| planned == id);
    let mut seen = HashSet::new();
    let mut results: Vec<_> = document
        .results
        .drain(..)
        .filter(|result| seen.insert(result.id.clone()))
        .map(|result| (place(&result.id).unwrap_or(usize::MAX), result))
        .collect();
    results.sort_by_key(|(place, _)| *place);
    document.results = results.into_iter().map(|(_, result)| result).collect();
}
