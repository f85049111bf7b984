//! `kharness debug`: runs a scenario and stops its guest for gdb.

use std::path::PathBuf;

use super::run;
use crate::cli::Global;
use crate::error::Failure;
use crate::exit::Exit;
use crate::run::{At, Debugging};

/// Arguments of `kharness debug`.
#[derive(Debug, clap::Args)]
#[group(id = "debugging")]
pub struct Args {
    /// When to stop for gdb: `boot`, `report` (the first kernel report), or the id of a step
    #[arg(long, value_name = "WHEN", default_value = "boot")]
    at: At,
    /// Unix socket to serve gdb on [default: `gdb` in the test's directory]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    #[command(flatten)]
    run: run::Args,
}

/// Runs one scenario. No limit of time holds.
///
/// # Errors
/// When nothing can be run.
pub fn run(args: Args, global: &Global) -> Result<Exit, Failure> {
    let debugging = Debugging { at: args.at, socket: args.socket };
    run::run(&args.run.for_debugging(debugging), global)
}
