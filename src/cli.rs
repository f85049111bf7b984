//! The command line: global options and one arm for each command.

use std::io::IsTerminal;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::{
    bisect, check, completions, debug, doctor, explain, gate, history, inspect, kernel, list,
    merge, module, replay, report, run, schema, shell, snapshot, submit, triage,
};
use crate::error::Failure;
use crate::exit::Exit;

/// pytest for the Linux kernel: boots it, drives it, and tells the truth about it.
#[derive(Debug, Parser)]
#[command(name = "kharness", version, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 all good; 1 a test failed, crashed or timed out; \
2 wrong usage or a bad scenario file; 3 the harness or the host failed; 4 nothing selected.")]
pub struct Cli {
    /// Options that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// When to colour the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Say more; twice for details
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// When to colour the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether what is written to `stream` is to be coloured.
    pub fn wanted(self, stream: &impl IsTerminal) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            // https://no-color.org: set, and not empty.
            Self::Auto => {
                std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                    && stream.is_terminal()
            }
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenarios: boot a kernel, drive it, and judge it
    Run(Box<run::Args>),
    /// Check scenario files without booting anything
    Check(check::Args),
    /// Print a scenario fully resolved: every default, id and unit
    Explain(explain::Args),
    /// List the scenarios
    List(list::Args),
    /// Print the kernel reports of a log
    Triage(triage::Args),
    /// Look into a snapshot or a vmcore: tasks, log, slabs, locks, any variable
    Inspect(inspect::Args),
    /// Snapshots as files: export them for drgn and crash
    Snapshot(snapshot::Args),
    /// Judge results against a baseline: only what is new counts
    Gate(gate::Args),
    /// Find the commit that broke a scenario
    Bisect(bisect::Args),
    /// Show what became of each test over time
    History(history::Args),
    /// Join the parts of a run that was spread over machines
    Merge(merge::Args),
    /// Run in parts on a cluster: Slurm or Kubernetes
    Submit(submit::Args),
    /// Write results as JUnit, KTAP, Markdown, KCIDB or HTML
    Report(report::Args),
    /// Fetch, list, show and remove kernels
    Kernel(kernel::Args),
    /// Begin and build test modules
    Module(module::Args),
    /// Run a scenario and stop its guest for gdb: at boot, at a step, or at a kernel report
    Debug(Box<debug::Args>),
    /// Do a test that `run --record` recorded again, to the instruction, with gdb or without
    Replay(replay::Args),
    /// Boot a kernel, or the guest of a scenario, and give a shell in it
    Shell(Box<shell::Args>),
    /// Say what on this host is right, what is wrong, and what to do about it
    Doctor(doctor::Args),
    /// Print the JSON Schema of scenario files
    Schema(schema::Args),
    /// Print the completion script of a shell
    Completions(completions::Args),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// When it could not do its work; the failure knows its exit code.
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        match self {
            Self::Run(args) => run::run(&args, global),
            Self::Check(args) => check::run(&args, global),
            Self::Explain(args) => explain::run(&args),
            Self::List(args) => list::run(&args),
            Self::Triage(args) => triage::run(&args, global),
            Self::Inspect(args) => inspect::run(&args),
            Self::Snapshot(args) => snapshot::run(&args),
            Self::Gate(args) => gate::run(&args),
            Self::Bisect(args) => bisect::run(&args),
            Self::Submit(args) => submit::run(&args),
            Self::History(args) => history::run(&args),
            Self::Merge(args) => merge::run(&args, global),
            Self::Report(args) => report::run(&args),
            Self::Kernel(args) => kernel::run(&args, global),
            Self::Module(args) => module::run(&args, global),
            Self::Debug(args) => debug::run(*args, global),
            Self::Replay(args) => replay::run(&args, global),
            Self::Shell(args) => shell::run(*args, global),
            Self::Doctor(args) => doctor::run(&args),
            Self::Schema(args) => schema::run(&args),
            Self::Completions(args) => completions::run(&args),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn no_command_contradicts_itself() {
        Cli::command().debug_assert();
    }
}
