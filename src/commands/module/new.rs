//! `kharness module new`: a module to begin with.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use guest_image::module::{ModuleBuildError, create};

use crate::cli::Global;
use crate::error::Failure;
use crate::exit::Exit;

/// Arguments of `kharness module new`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the module
    name: String,
    /// Directory of the project: the module goes into its `modules/`, the scenario into its
    /// `scenarios/`
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
}

/// Makes the files.
///
/// # Errors
/// When the name is none, or a file is there already.
pub fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let created = create(&args.name, &args.project).map_err(|e| failure(&e))?;
    if !global.quiet {
        let mut out = io::stdout();
        writeln!(out, "module    {}", shown(&created.source))?;
        writeln!(out, "scenario  {}", shown(&created.scenario))?;
        writeln!(out, "run it with: kharness run -k debug {}", shown(&created.scenario))?;
    }
    Ok(Exit::Good)
}

fn shown(path: &Path) -> String {
    path.strip_prefix("./").unwrap_or(path).display().to_string()
}

fn failure(error: &ModuleBuildError) -> Failure {
    let exit = match error {
        ModuleBuildError::Io { .. } => Exit::Harness,
        _ => Exit::Usage,
    };
    Failure::new(exit, error)
}
