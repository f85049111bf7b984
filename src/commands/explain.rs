//! `kharness explain`: prints a scenario fully resolved, in each cell of its matrix.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::error::Failure;
use crate::exit::Exit;
use crate::scenario::discover::Selection;
use crate::scenario::model::Cell;

/// Arguments of `kharness explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Scenario file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only this cell of its matrix: `AXIS=VALUE`, joined by commas; may be given again
    #[arg(long, value_name = "CELL")]
    cell: Vec<Cell>,
    /// Print JSON instead of YAML
    #[arg(long)]
    json: bool,
}

/// Prints the scenario as it will be run.
///
/// # Errors
/// When the file has a mistake.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let selection = Selection {
        paths: vec![args.file.clone()],
        cell: args.cell.clone(),
        ..Selection::default()
    };
    let loaded = selection.load()?;
    if loaded.is_empty() {
        return Err(Failure::nothing_selected(&selection));
    }
    let mut out = io::stdout().lock();
    for scenario in &loaded {
        // Several cells are several documents.
        if loaded.len() > 1 && !args.json {
            writeln!(out, "---\n# {}", scenario.id)?;
        }
        writeln!(out, "{}", text(&scenario.scenario, args.json)?)?;
    }
    Ok(Exit::Good)
}

fn text(scenario: &crate::scenario::model::Scenario, json: bool) -> Result<String, Failure> {
    if json {
        return Ok(serde_json::to_string_pretty(scenario).map_err(io::Error::from)?);
    }
    let yaml =
        serde_saphyr::to_string(scenario).map_err(|error| Failure::new(Exit::Harness, error))?;
    Ok(yaml.trim_end().to_owned())
}
