//! `kharness module`: begins and builds test modules.

mod build;
mod new;

use clap::Subcommand;

use crate::cli::Global;
use crate::error::Failure;
use crate::exit::Exit;

/// Arguments of `kharness module`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

/// What to do with modules.
#[derive(Debug, Subcommand)]
enum Action {
    /// Begin a Rust test module: a commented source that compiles, and a scenario that loads it
    New(new::Args),
    /// Build modules for a kernel, unless the cache has them
    Build(build::Args),
}

/// Runs the subcommand.
///
/// # Errors
/// When it could not do its work.
pub fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    match &args.action {
        Action::New(args) => new::run(args, global),
        Action::Build(args) => build::run(args, global),
    }
}
