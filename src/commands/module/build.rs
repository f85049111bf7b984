//! `kharness module build`: modules for one kernel.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use guest_image::kernel::{Arch, Cache, Kernel, resolve};
use guest_image::module::{Built, ModuleBuildError, ModuleSource, all, build, find};

use crate::cli::Global;
use crate::commands::kernel::{Stages, failure};
use crate::error::Failure;
use crate::exit::Exit;

/// Kernel that modules are built for where nothing names one.
const DEFAULT: &str = "debug";

/// Arguments of `kharness module build`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A module in `modules/` or `guest-image/modules/`, or a module's directory [default: all
    /// that are there]
    #[arg(value_name = "NAME|DIR")]
    module: Option<String>,
    /// Kernel: a build tree, or a cached one such as `debug` [default: $KHARNESS_KERNEL, else debug]
    #[arg(short, long, value_name = "KERNEL")]
    kernel: Option<String>,
}

/// Builds the modules.
///
/// # Errors
/// When one does not compile; what the compiler says goes to standard error as it is.
pub fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let sources = sources(args.module.as_deref())?;
    let cache = Cache::open().map_err(|e| failure::of_cache(&e))?;
    let kernel = args.kernel.clone().or_else(|| std::env::var("KHARNESS_KERNEL").ok());
    let kernel = kernel.as_deref().unwrap_or(DEFAULT);
    let kernel = resolve(kernel, Arch::X86_64, &cache).map_err(|e| failure::of_kernel(&e))?;
    for source in &sources {
        build_one(source, &kernel, &cache, global)?;
    }
    Ok(Exit::Good)
}

fn sources(module: Option<&str>) -> Result<Vec<ModuleSource>, Failure> {
    let here = Path::new(".");
    let Some(named) = module else {
        let sources = all(here);
        if sources.is_empty() {
            let message = "there is no module in modules/ or guest-image/modules/";
            return Err(Failure::new(Exit::Usage, message));
        }
        return Ok(sources);
    };
    let path = PathBuf::from(named);
    let source = if path.is_dir() {
        ModuleSource::open(&path).map_err(|e| Failure::new(Exit::Usage, e))?
    } else {
        find(named, here).ok_or_else(|| {
            let message = format!(
                "no module {named}: it is looked for in modules/ and guest-image/modules/ of this \
                 directory and those around it; `kharness module new {named}` begins one"
            );
            Failure::new(Exit::Usage, message)
        })?
    };
    Ok(vec![source])
}

fn build_one(
    source: &ModuleSource,
    kernel: &Kernel,
    cache: &Cache,
    global: &Global,
) -> Result<(), Failure> {
    let stages = Stages::new(global.quiet);
    let built = build(source, kernel, cache, &stages);
    drop(stages);
    let built = built.map_err(|error| refused(&error))?;
    io::stderr().write_all(built.warnings.as_bytes())?;
    if !global.quiet {
        tell(&built)?;
    }
    Ok(())
}

fn tell(built: &Built) -> io::Result<()> {
    let how = if built.fresh { "built" } else { "up to date" };
    writeln!(io::stdout(), "{}: {how}: {}", built.name, built.file.display())
}

fn refused(error: &ModuleBuildError) -> Failure {
    // With no one left to tell, the exit code still tells it.
    let _ = io::stderr().write_all(error.output().unwrap_or_default().as_bytes());
    let exit = match error {
        ModuleBuildError::Io { .. }
        | ModuleBuildError::Cache(_)
        | ModuleBuildError::Toolchain(_)
        | ModuleBuildError::Process(_) => Exit::Harness,
        _ => Exit::Usage,
    };
    Failure::new(exit, error)
}
