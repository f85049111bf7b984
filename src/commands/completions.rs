//! `kharness completions`: completion scripts of shells.

use std::io;

use clap::CommandFactory;

use crate::cli::Cli;
use crate::error::Failure;
use crate::exit::Exit;

/// Arguments of `kharness completions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

/// Prints the script.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "kharness", &mut script);
    io::Write::write_all(&mut io::stdout().lock(), &script)?;
    Ok(Exit::Good)
}
