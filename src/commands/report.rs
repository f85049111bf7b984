//! `kharness report`: results that are there already, in the formats that others read.

use std::path::PathBuf;

use crate::error::Failure;
use crate::exit::Exit;
use crate::output::{Files, summary};
use crate::results::{merge, read_all};

/// Arguments of `kharness report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Results: a run's directory, a results document, or a directory of them
    #[arg(value_name = "RESULTS", required = true)]
    results: Vec<PathBuf>,
    #[command(flatten)]
    files: Files,
}

/// Writes the formats that are asked for.
///
/// # Errors
/// When the results cannot be read, or are not of one run.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, error);
    let mut documents = read_all(&args.results).map_err(|error| usage(&error))?;
    let document = if documents.len() == 1 {
        documents.remove(0)
    } else {
        merge(documents).map_err(|error| usage(&error))?.document
    };
    anstream::eprintln!("{}", summary(&document.results));
    if document.run.interrupted {
        let missing = document.missing().count();
        anstream::eprintln!("incomplete: the run ended early, {missing} tests have no result");
    }
    Ok(args.files.write(&document))
}
