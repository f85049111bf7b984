//! `kharness kernel rm`: removes kernels from the cache.

use guest_image::kernel::Cache;

use super::failure;
use super::progress::Stages;
use crate::cli::Global;
use crate::error::Failure;
use crate::exit::Exit;

/// Arguments of `kharness kernel rm`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Full names, as `kharness kernel list` prints them
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

/// Removes them, in the order given.
///
/// # Errors
/// At the first that is not there or cannot be removed.
pub fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let cache = Cache::open().map_err(|e| failure::of_cache(&e))?;
    let stages = Stages::new(global.quiet);
    for name in &args.names {
        cache.remove(name, &stages).map_err(|e| failure::of_cache(&e))?;
    }
    Ok(Exit::Good)
}
