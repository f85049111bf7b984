//! `kharness shell`: boots a guest and hands it to a person.

use std::fs;

use super::run;
use crate::cli::Global;
use crate::error::Failure;
use crate::exit::Exit;

/// The guest of `kharness shell` where no scenario says what it is to be.
const PLAIN: &str = "name: a shell\nsteps: [{ shell: exit }]\n";

/// Arguments of `kharness shell`.
#[derive(Debug, clap::Args)]
#[group(id = "shell")]
#[command(
    after_help = "Ctrl-] ends a guest that hangs, and keeps its memory for `kharness inspect`."
)]
pub struct Args {
    #[command(flatten)]
    run: run::Args,
    /// Program to run in place of a shell, with its arguments; its output is the command's
    #[arg(last = true, value_name = "PROGRAM")]
    program: Vec<String>,
}

/// Boots the guest of one scenario, or a plain one, loads its modules, and runs a shell in place of its steps.
///
/// # Errors
/// When nothing can be booted.
pub fn run(args: Args, global: &Global) -> Result<Exit, Failure> {
    let dir = tempfile::tempdir().map_err(|error| Failure::new(Exit::Harness, error))?;
    let plain = dir.path().join("shell.yaml");
    fs::write(&plain, PLAIN).map_err(|error| Failure::new(Exit::Harness, error))?;
    let quiet = global.quiet || !args.program.is_empty();
    let program = Some(args.program).filter(|program| !program.is_empty());
    run::run(&args.run.for_shell(program, &plain), &Global { quiet, ..*global })
}
