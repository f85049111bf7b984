//! `kharness kernel fetch`: a distribution's stock kernel into the cache.

use std::io::{self, Write};

use clap::ValueEnum;
use guest_image::kernel::{Cache, debian};

use super::arch::ArchName;
use super::failure;
use super::progress::Stages;
use super::size::mebibytes;
use crate::cli::Global;
use crate::error::Failure;
use crate::exit::Exit;

/// Arguments of `kharness kernel fetch`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose kernel
    distribution: Distribution,
    /// For which architecture
    #[arg(long, value_name = "ARCH", default_value = "x86_64")]
    arch: ArchName,
}

/// Distributions whose kernels can be fetched.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Distribution {
    /// What Debian's linux-image-amd64 stands for, from the host's package sources
    Debian,
}

/// Fetches the kernel, unless the cache has its newest version.
///
/// # Errors
/// When it cannot be had.
pub fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let Distribution::Debian = args.distribution;
    let cache = Cache::open().map_err(|e| failure::of_cache(&e))?;
    let stages = Stages::new(global.quiet);
    let fetched = debian::fetch(&cache, args.arch.into(), &stages);
    drop(stages);
    let entry = fetched.map_err(|e| failure::of_fetch(&e))?;
    if !global.quiet {
        let (name, release, size) = (&entry.name, &entry.release, mebibytes(entry.size));
        let alias = &entry.alias;
        writeln!(io::stdout(), "{name}: Linux {release}, {size}; use it with `-k {alias}`")?;
    }
    Ok(Exit::Good)
}
