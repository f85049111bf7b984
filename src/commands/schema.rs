//! `kharness schema`: the JSON Schema of scenario files.

use std::io::{self, Write};

use crate::error::Failure;
use crate::exit::Exit;
use crate::scenario::written::ScenarioKeys;

/// Arguments of `kharness schema`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints the schema.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(_: &Args) -> Result<Exit, Failure> {
    let schema = schemars::schema_for!(ScenarioKeys);
    let text = serde_json::to_string_pretty(&schema).map_err(io::Error::from)?;
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(Exit::Good)
}
