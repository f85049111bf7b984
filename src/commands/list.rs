//! `kharness list`: the scenarios there are.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::error::Failure;
use crate::exit::Exit;
use crate::scenario::Loaded;
use crate::scenario::discover::Selection;

/// Arguments of `kharness list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One scenario in the JSON listing.
#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    cell: BTreeMap<String, String>,
    name: Option<&'a str>,
    path: String,
    tags: &'a [String],
    steps: usize,
}

impl<'a> From<&'a Loaded> for Entry<'a> {
    fn from(loaded: &'a Loaded) -> Self {
        Self {
            id: &loaded.id,
            cell: loaded.cell.map(),
            name: loaded.scenario.name.as_deref(),
            path: loaded.path.display().to_string(),
            tags: &loaded.scenario.tags,
            steps: loaded.scenario.steps.len(),
        }
    }
}

/// Lists what is selected.
///
/// # Errors
/// When a file has a mistake, or nothing is selected.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let loaded = args.selection.load()?;
    if loaded.is_empty() {
        return Err(Failure::nothing_selected(&args.selection));
    }
    let entries: Vec<Entry> = loaded.iter().map(Entry::from).collect();
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&entries).map_err(io::Error::from)?)?;
    } else {
        print_table(&mut out, &entries)?;
    }
    Ok(Exit::Good)
}

fn print_table(out: &mut impl Write, entries: &[Entry]) -> io::Result<()> {
    let width = entries.iter().map(|entry| entry.id.len()).max().unwrap_or(0);
    for entry in entries {
        let line = format!("{:width$}  {}", entry.id, entry.name.unwrap_or_default());
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
