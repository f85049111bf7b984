//! `kharness history`: what became of each test over time.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::error::Failure;
use crate::exit::Exit;
use crate::gate::History;
use crate::history::{Store, print, trends};
use crate::results::read_all;

/// Arguments of `kharness history`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only tests whose id contains TEXT
    #[arg(value_name = "TEXT", default_value = "", hide_default_value = true)]
    filter: String,
    #[command(flatten)]
    history: History,
    /// Record these results first: run directories, documents, or directories of CI artefacts
    #[arg(long, value_name = "RESULTS", num_args = 1..)]
    import: Vec<PathBuf>,
    /// Look at these results alone, and record nothing
    #[arg(long, value_name = "RESULTS", num_args = 1.., conflicts_with = "import")]
    from: Vec<PathBuf>,
    /// Check that the database is whole
    #[arg(long)]
    check: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the trends.
///
/// # Errors
/// When there is no history, or it cannot be read.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let harness = |error: &dyn std::fmt::Display| Failure::new(Exit::Harness, error);
    let mut store = store(args)?;
    let paths = if args.from.is_empty() { &args.import } else { &args.from };
    for document in read_all(paths).map_err(|error| Failure::new(Exit::Usage, error))? {
        store.record(&document).map_err(|error| harness(&error))?;
    }
    if args.check {
        return check(&store);
    }
    let trends = trends(&store, &args.filter).map_err(|error| harness(&error))?;
    if args.json {
        serde_json::to_writer_pretty(io::stdout().lock(), &trends).map_err(io::Error::from)?;
        writeln!(io::stdout())?;
    } else {
        write!(anstream::stdout(), "{}", print(&trends))?;
    }
    Ok(if trends.is_empty() { Exit::Nothing } else { Exit::Good })
}

fn store(args: &Args) -> Result<Store, Failure> {
    if !args.from.is_empty() {
        return Store::open(":memory:".as_ref()).map_err(|e| Failure::new(Exit::Harness, e));
    }
    let none = || Failure::new(Exit::Usage, "no history: name one with --history FILE");
    let path = args.history.path().ok_or_else(none)?;
    if args.import.is_empty() && !path.is_file() {
        let message = format!("no history at {}: no run was recorded there yet", path.display());
        return Err(Failure::new(Exit::Usage, message));
    }
    Store::open(&path).map_err(|error| Failure::new(Exit::Harness, error))
}

fn check(store: &Store) -> Result<Exit, Failure> {
    let (runs, whole) = store.check().map_err(|error| Failure::new(Exit::Harness, error))?;
    writeln!(anstream::stdout(), "{runs} runs, integrity: {whole}")?;
    Ok(if whole == "ok" { Exit::Good } else { Exit::Harness })
}
