//! `kharness kernel build`: a kernel for testing, from source.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use guest_image::kernel::Cache;
use guest_image::kernel::build::{PROFILES, Profile, Request, Source, build};

use super::arch::ArchName;
use super::failure;
use super::progress::Stages;
use super::size::mebibytes;
use crate::cli::Global;
use crate::error::Failure;
use crate::exit::Exit;

/// Arguments of `kharness kernel build`.
#[derive(Debug, clap::Args)]
#[command(after_help = profiles())]
pub struct Args {
    /// What the kernel is for
    #[arg(value_parser = PossibleValuesParser::new(PROFILES.map(|profile| profile.name)))]
    profile: String,
    /// For which architecture
    #[arg(long, value_name = "ARCH", default_value = "x86_64")]
    arch: ArchName,
    /// `debian` for Debian's newest source package, a kernel tarball, or a source tree
    #[arg(long, default_value = "debian")]
    source: String,
    /// A file of settings that override the profile's; may be repeated
    #[arg(long, value_name = "FRAGMENT")]
    config: Vec<PathBuf>,
    /// A whole configuration to start from [default: allnoconfig]
    #[arg(long, value_name = "CONFIG")]
    base: Option<PathBuf>,
    /// Jobs at the same time [default: one for each CPU]
    #[arg(short, long, value_name = "N")]
    jobs: Option<usize>,
}

/// The profiles and what they are for.
fn profiles() -> String {
    let lines = PROFILES.map(|profile| format!("  {:8} {}", profile.name, profile.purpose));
    format!("Profiles:\n{}", lines.join("\n"))
}

/// Builds the kernel, unless the cache has it.
///
/// # Errors
/// When it cannot be built.
pub fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let request = request(args)?;
    let cache = Cache::open().map_err(|e| failure::of_cache(&e))?;
    let stages = Stages::new(global.quiet);
    let built = build(&cache, &request, &stages);
    drop(stages);
    let entry = built.map_err(|e| failure::of_build(&e))?;
    if !global.quiet {
        let (name, release, size) = (&entry.name, &entry.release, mebibytes(entry.size));
        let alias = &entry.alias;
        writeln!(io::stdout(), "{name}: Linux {release}, {size}; use it with `-k {alias}`")?;
    }
    Ok(Exit::Good)
}

fn request(args: &Args) -> Result<Request, Failure> {
    let source: Source = args
        .source
        .parse()
        .map_err(|e| Failure::new(Exit::Usage, format!("--source {}: {e}", args.source)))?;
    let profile = Profile::named(&args.profile)
        .ok_or_else(|| Failure::new(Exit::Usage, format!("no profile {:?}", args.profile)))?;
    Ok(Request {
        profile,
        arch: args.arch.into(),
        source,
        fragments: args.config.clone(),
        base: args.base.clone(),
        jobs: args.jobs,
    })
}
