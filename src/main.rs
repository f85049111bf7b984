//! The command `kharness`: boots a kernel, drives it, and says what became of it.

mod bisect;
mod cli;
mod commands;
mod doctor;
mod error;
mod exit;
mod gate;
mod history;
mod host;
mod memory;
mod output;
mod plan;
mod recording;
mod report;
mod results;
mod run;
mod saved_boot;
mod scenario;
mod submit;
mod suite;
mod symbols;
mod triage;
mod verdict;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    vmm::share_arenas();
    let cli = cli::Cli::parse();
    match cli.command.run(&cli.global) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(cli.global.color.wanted(&std::io::stderr())).into(),
    }
}
