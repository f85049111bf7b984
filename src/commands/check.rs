//! `kharness check`: validates without booting.

use std::io::{self, Write};

use crate::cli::Global;
use crate::error::Failure;
use crate::exit::Exit;
use crate::scenario::discover::Selection;

/// Arguments of `kharness check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
}

/// Checks every file and tells all mistakes of all files.
///
/// # Errors
/// When a file has a mistake or cannot be found.
pub fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let loaded = args.selection.load()?;
    if loaded.is_empty() {
        return Err(Failure::nothing_selected(&args.selection));
    }
    if !global.quiet {
        let mut out = io::stdout().lock();
        for cells in loaded.chunk_by(|one, other| one.path == other.path) {
            let path = cells[0].path.display();
            match cells.len() {
                1 => writeln!(out, "{path}: ok")?,
                count => writeln!(out, "{path}: ok, {count} cells")?,
            }
        }
    }
    Ok(Exit::Good)
}
