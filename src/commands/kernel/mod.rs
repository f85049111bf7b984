//! `kharness kernel`: fetches, builds, lists, shows and removes kernels.

mod arch;
mod build;
pub mod failure;
mod fetch;
mod list;
mod progress;
mod rm;
mod show;
mod size;
mod toolchain;

pub use progress::Stages;

use clap::Subcommand;

use crate::cli::Global;
use crate::error::Failure;
use crate::exit::Exit;

/// Arguments of `kharness kernel`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

/// What to do with kernels.
#[derive(Debug, Subcommand)]
enum Action {
    /// Get a distribution's stock kernel, without root and without installing it
    Fetch(fetch::Args),
    /// Build a kernel for testing, unless the cache has it
    Build(build::Args),
    /// Set up the compilers that build kernels and modules, or a newer QEMU
    Toolchain(toolchain::Args),
    /// List the kernels in the cache
    List(list::Args),
    /// Show what is known of a kernel, cached or not
    Show(show::Args),
    /// Remove kernels from the cache
    Rm(rm::Args),
}

/// Runs the subcommand.
///
/// # Errors
/// When it could not do its work.
pub fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    match &args.action {
        Action::Fetch(args) => fetch::run(args, global),
        Action::Build(args) => build::run(args, global),
        Action::Toolchain(args) => toolchain::run(args, global),
        Action::List(args) => list::run(args),
        Action::Show(args) => show::run(args),
        Action::Rm(args) => rm::run(args, global),
    }
}
