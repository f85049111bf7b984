//! Keeps results on disk while the run goes on, so that no end of the run loses what had finished.
//!
//! `results.jsonl` has one line an event and is only ever appended to; `results.json` is the
//! document, written anew and renamed into place.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::directory::RunDir;
use crate::output::lines::Event;
use crate::results::{Document, TestResult};

/// Name of the document in the directory of a run.
pub const RESULTS: &str = "results.json";
/// Name of the journal in the directory of a run.
pub const JOURNAL: &str = "results.jsonl";

/// Writing the document may take this part of the time of a run.
const SHARE_OF_TIME: u32 = 20;

/// The results of a run, on disk.
pub struct Record {
    path: PathBuf,
    state: Mutex<State>,
    /// Whether the document that was written last is not on disk.
    lost: AtomicBool,
}

struct State {
    journals: Vec<(PathBuf, Option<File>)>,
    next_write: Instant,
}

impl Record {
    /// A record in `dir`, with a copy of the journal at each of `more`. `document` has no results
    /// yet: what is interrupted before the first one is readable too.
    pub fn create(dir: &RunDir, more: &[PathBuf], document: &Document) -> Self {
        let paths = [dir.path.join(JOURNAL)].into_iter().chain(more.iter().cloned());
        let journals = paths.map(|path| (path.clone(), created(&path))).collect();
        let state = State { journals, next_write: Instant::now() };
        let record =
            Self { path: dir.path.join(RESULTS), state: Mutex::new(state), lost: false.into() };
        record.event(&Event::Started(&document.run, &document.kernels));
        record.write(document);
        record
    }

    /// Takes the result at `index`: into the journal at once, into the document of all `results` when it is time, which
    /// has them meanwhile.
    pub fn keep(
        &self,
        index: usize,
        results: &mut Vec<TestResult>,
        document: impl FnOnce(Vec<TestResult>) -> Document,
    ) {
        self.event(&Event::Result(&results[index]));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if Instant::now() >= state.next_write {
            let document = document(mem::take(results));
            let took = self.write(&document);
            *results = document.results;
            state.next_write = Instant::now() + took * SHARE_OF_TIME;
        }
    }

    /// The run is over. Gives whether everything is on disk: a run whose results are not there is not good,
    /// whatever they are.
    pub fn finish(&self, document: &Document) -> bool {
        self.event(&Event::Finished(&document.run));
        self.write(document);
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        !self.lost.load(Ordering::Relaxed) && state.journals.iter().all(|(_, file)| file.is_some())
    }

    fn event(&self, event: &Event) {
        let line = event.line();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (path, slot) in &mut state.journals {
            let written = slot.as_mut().map_or(Ok(()), |file| file.write_all(line.as_bytes()));
            if let Err(error) = written {
                complain(path, &error);
                // A line that is cut in the middle must stay the last one.
                *slot = None;
            }
        }
    }

    /// A full disk must not lose what is on the terminal.
    fn write(&self, document: &Document) -> Duration {
        let start = Instant::now();
        let written = replace(&self.path, document);
        self.lost.store(written.is_err(), Ordering::Relaxed);
        if let Err(error) = written {
            complain(&self.path, &error);
        }
        start.elapsed()
    }
}

fn created(path: &Path) -> Option<File> {
    File::create(path).inspect_err(|error| complain(path, error)).ok()
}

fn complain(path: &Path, error: &io::Error) {
    anstream::eprintln!("kharness: cannot write {}: {error}", path.display());
}

/// The document of a long run has megabytes, which nobody needs in memory at once.
fn write_pieces(path: &Path, document: &Document) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    serde_json::to_writer_pretty(&mut file, document)?;
    file.flush()
}

/// Replaces the document at `path` as a whole or not at all.
fn replace(path: &Path, document: &Document) -> io::Result<()> {
    let partial = path.with_extension("json.partial");
    let written = write_pieces(&partial, document).and_then(|()| fs::rename(&partial, path));
    written.inspect_err(|_| drop(fs::remove_file(&partial)))
}
