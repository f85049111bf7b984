//! What a run does with its results: records them in the history, compares them with a baseline.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::Utc;

use super::compare::{Comparison, Rules, compare};
use super::reference::load_base;
use super::side::Side;
use super::{Margins, print, to_markdown};
use crate::error::Failure;
use crate::exit::Exit;
use crate::history::Store;
use crate::output::Terminal;
use crate::results::Document;

/// Where the history is.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct History {
    /// Database of past runs, or `none` [default: one below $XDG_STATE_HOME]
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
}

impl History {
    /// The database; `None` where there is to be none.
    pub fn path(&self) -> Option<PathBuf> {
        match &self.history {
            Some(path) if path.as_os_str() == "none" => None,
            Some(path) => Some(path.clone()),
            None => default_place(),
        }
    }
}

fn default_place() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    state.map(|state| state.join("kharness/history.db"))
}

/// What to do with the results of a run.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct After {
    #[command(flatten)]
    history: History,
    /// Fail only on what is worse than in BASELINE: a file of `--write-baseline`, results, or a run,
    /// a kernel release or `last` of the history
    #[arg(long, value_name = "BASELINE")]
    baseline: Option<String>,
}

impl After {
    /// Neither compares nor records.
    pub fn unrecorded() -> Self {
        Self { history: History { history: Some("none".into()) }, baseline: None }
    }

    /// The database of past runs; `None` where there is to be none.
    pub fn history(&self) -> Option<PathBuf> {
        self.history.path()
    }

    /// Compares and records. Gives the exit code of the command, which is `exit` where there is
    /// no baseline.
    ///
    /// # Errors
    /// When there is no such baseline. A history that cannot be written is told and no more: the
    /// results are what was asked for.
    pub fn carry_out(
        &self,
        document: &Document,
        terminal: &Terminal,
        exit: Exit,
    ) -> Result<Exit, Failure> {
        let store = self.history.path();
        // Before the run is recorded: `last` is the run before this one.
        let gated = match &self.baseline {
            Some(name) => gate(document, name, store.as_deref(), terminal, exit)?,
            None => exit,
        };
        if let Some(path) = store {
            let recorded = Store::open(&path).and_then(|mut store| store.record(document));
            if let Err(error) = recorded {
                terminal.warning("History", &format!("not recorded: {error}"));
            }
        }
        Ok(gated)
    }
}

fn gate(
    document: &Document,
    name: &str,
    store: Option<&Path>,
    terminal: &Terminal,
    exit: Exit,
) -> Result<Exit, Failure> {
    let base = load_base(name, store).map_err(|error| Failure::new(Exit::Usage, error))?;
    let rules = Rules {
        known: &base.known,
        margins: Margins::default(),
        flaky_fails: document.run.flaky_fails,
        today: Utc::now().date_naive(),
    };
    let current = Side::of(std::slice::from_ref(document));
    let found = compare(&base.side, &current, &rules);
    terminal.block(print(&found).trim_end());
    summarize(&found);
    Ok(if document.run.interrupted { exit } else { exit_of(&found) })
}

/// How a comparison ends the command.
pub fn exit_of(found: &Comparison) -> Exit {
    if !found.lands() {
        Exit::Failed
    } else if found.incomplete || !found.errors.is_empty() {
        Exit::Harness
    } else {
        Exit::Good
    }
}

/// Adds to the summary of the job where GitHub Actions wants one.
pub fn summarize(found: &Comparison) {
    let Some(path) = env::var_os("GITHUB_STEP_SUMMARY") else { return };
    let file = OpenOptions::new().create(true).append(true).open(path);
    if let Err(error) = file.and_then(|mut file| file.write_all(to_markdown(found).as_bytes())) {
        anstream::eprintln!("kharness: cannot write the summary of the job: {error}");
    }
}
