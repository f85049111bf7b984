//! `kharness schema`: the JSON Schemas of scenario files and of results.

use std::io::{self, Write};

use schemars::generate::SchemaSettings;

use crate::error::Failure;
use crate::exit::Exit;
use crate::results::Document;
use crate::scenario::written::ScenarioKeys;

/// Arguments of `kharness schema`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The schema of the results document (`run --json`) instead
    #[arg(long)]
    results: bool,
}

/// Prints the schema.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let schema = if args.results {
        // What is written, not what is read: empty lists and texts are left out.
        SchemaSettings::draft2020_12()
            .for_serialize()
            .into_generator()
            .into_root_schema_for::<Document>()
    } else {
        schemars::schema_for!(ScenarioKeys)
    };
    let text = serde_json::to_string_pretty(&schema).map_err(io::Error::from)?;
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(Exit::Good)
}
