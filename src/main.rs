//! The command `kharness`: boots a kernel, drives it, and says what became of it.

mod cli;
mod commands;
mod error;
mod exit;
mod output;
mod plan;
mod results;
mod run;
mod scenario;
mod suite;
mod triage;
mod verdict;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match cli.command.run(&cli.global) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(cli.global.color.wanted(&std::io::stderr())).into(),
    }
}
