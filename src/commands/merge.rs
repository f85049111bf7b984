//! `kharness merge`: joins the parts of a run that was spread over machines.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::run::exit;
use crate::cli::Global;
use crate::error::Failure;
use crate::exit::Exit;
use crate::gate::After;
use crate::output::{Files, Terminal};
use crate::results::{Document, Merged, merge, read_all};

/// Arguments of `kharness merge`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Results of the parts, or directories of them
    #[arg(value_name = "RESULTS", required = true)]
    results: Vec<PathBuf>,
    /// Write the merged document to FILE
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    after: After,
    /// Wait until N parts have ended
    #[arg(long, value_name = "N", requires = "wait")]
    wait_for: Option<usize>,
    /// … for no longer than this
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    wait: Option<Duration>,
    /// Write the merged document to standard output
    #[arg(long)]
    json: bool,
}

/// Joins the parts and says what is missing.
///
/// # Errors
/// When the results cannot be read, are not of one run, or the whole cannot be written.
pub fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    if let (Some(parts), Some(time)) = (args.wait_for, args.wait) {
        wait(&args.results, parts, time);
    }
    let documents = read_all(&args.results).map_err(|error| Failure::new(Exit::Usage, error))?;
    let merged = merge(documents).map_err(|error| Failure::new(Exit::Usage, error))?;
    let terminal = Terminal::new(global.quiet, args.json);
    tell(&merged, &terminal);
    let document = merged.document;
    terminal.finished(&document);
    if let Some(path) = &args.output {
        write(path, &document)
            .map_err(|error| Failure::new(Exit::Harness, format!("{}: {error}", path.display())))?;
    }
    let written = args.files.write(&document);
    if args.json {
        serde_json::to_writer_pretty(io::stdout().lock(), &document).map_err(io::Error::from)?;
        writeln!(io::stdout())?;
    }
    // What is missing is not known to be good; what failed is known to be bad.
    let mine = match exit(&document) {
        Exit::Interrupted => Exit::Harness.worst(failed(&document)),
        other => other,
    };
    Ok(args.after.carry_out(&document, &terminal, mine)?.worst(written))
}

/// Waits for parts of a run; whatever is missing when the time is up, the merge tells.
fn wait(results: &[PathBuf], parts: usize, time: Duration) {
    let deadline = Instant::now() + time;
    while ended(results) < parts && Instant::now() < deadline {
        thread::sleep(Duration::from_secs(1));
    }
}

fn ended(results: &[PathBuf]) -> usize {
    let documents = read_all(results).unwrap_or_default();
    let whole = documents.iter().filter(|document| !document.run.interrupted);
    let parts: BTreeSet<_> =
        whole.map(|part| part.run.partition.as_ref().map(|p| p.index)).collect();
    parts.len()
}

fn tell(merged: &Merged, terminal: &Terminal) {
    for part in &merged.superseded {
        terminal.note("Left out", part);
    }
    for missing in &merged.missing {
        terminal.warning("Missing", missing);
    }
}

fn failed(document: &Document) -> Exit {
    let whole = Document {
        run: crate::results::RunInfo { interrupted: false, ..document.run.clone() },
        ..document.clone()
    };
    exit(&whole)
}

fn write(path: &Path, document: &Document) -> io::Result<()> {
    let partial = path.with_extension("json.partial");
    fs::write(&partial, serde_json::to_vec_pretty(document)?)?;
    fs::rename(&partial, path)
}
