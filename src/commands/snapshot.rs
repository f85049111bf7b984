//! `kharness snapshot`: snapshots as files.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::commands::inspect::attach;
use crate::error::Failure;
use crate::exit::Exit;

/// Arguments of `kharness snapshot`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

/// What to do with a snapshot.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Write a snapshot as a vmcore that drgn and crash open
    Export {
        /// A snapshot directory, a run directory, or an ELF vmcore
        #[arg(value_name = "SNAPSHOT")]
        snapshot: PathBuf,
        /// Format of the file
        #[arg(long, default_value = "elf")]
        format: Format,
        /// The file to write
        #[arg(short, long, value_name = "FILE", default_value = "vmcore")]
        output: PathBuf,
    },
}

/// Formats of vmcores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Sparse ELF core with VMCOREINFO
    Elf,
    /// Compressed kdump file, as makedumpfile writes it
    Kdump,
}

/// Does it.
///
/// # Errors
/// When the snapshot is bad or the file cannot be written.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let Action::Export { snapshot, format, output } = &args.action;
    let kernel = attach(snapshot)?;
    let written = match format {
        Format::Elf => kernel.export_vmcore(output),
        Format::Kdump => kernel.export_kdump(output),
    };
    let written = written.map_err(|error| match error {
        inspect::Error::Unsupported { .. } => Failure::new(Exit::Usage, error),
        error => Failure::new(Exit::Harness, error),
    })?;
    let build_id = kernel.vmcoreinfo().build_id().unwrap_or("unknown");
    let mut out = io::stdout().lock();
    writeln!(out, "{}: Linux {}, build-id {build_id}", output.display(), kernel.release())?;
    writeln!(
        out,
        "{} MiB of data; drgn and crash want the vmlinux of that build-id",
        written >> 20
    )?;
    Ok(Exit::Good)
}
