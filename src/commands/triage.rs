//! `kharness triage`: prints the kernel reports of a log.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use crate::cli::Global;
use crate::error::Failure;
use crate::exit::Exit;
use crate::symbols::Symbols;
use crate::triage::{self, Shown, Style};

/// Arguments of `kharness triage`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 no reports; 1 reports; 2 the log cannot be read.")]
pub struct Args {
    /// A console log, dmesg or syslog, plain or packed (gz, zst); `-` reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print a JSON array
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print Markdown
    #[arg(long)]
    markdown: bool,
    /// The kernel's vmlinux with debugging information: frames get source lines and inlined functions
    #[arg(long, value_name = "FILE")]
    vmlinux: Option<PathBuf>,
    /// Print what is no problem by itself, too: detectors that are off, throttling
    #[arg(long)]
    all: bool,
}

/// Prints the reports of a log.
///
/// # Errors
/// When the log cannot be read.
pub fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let mut reports =
        triage::reports(&args.file).map_err(|error| Failure::new(Exit::Usage, error))?;
    if !args.all {
        reports.retain(klog::Report::is_problem);
    }
    let reports = shown(reports, args.vmlinux.as_deref())?;
    print(args, global, &reports)?;
    Ok(if reports.is_empty() { Exit::Good } else { Exit::Failed })
}

/// The reports with what debugging information adds.
fn shown(reports: Vec<klog::Report>, vmlinux: Option<&Path>) -> Result<Vec<Shown>, Failure> {
    let symbols =
        vmlinux.map(Symbols::open).transpose().map_err(|error| Failure::new(Exit::Usage, error))?;
    let shown = |report| Shown::new(report, symbols.as_ref());
    Ok(reports.into_iter().map(shown).collect())
}

fn print(args: &Args, global: &Global, reports: &[Shown]) -> io::Result<()> {
    let stdout = io::stdout();
    let style = Style { color: global.color.wanted(&stdout), newest_first: stdout.is_terminal() };
    let mut out = io::BufWriter::new(stdout.lock());
    match () {
        () if args.json => serde_json::to_writer_pretty(&mut out, reports)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out))?,
        () if args.markdown => triage::print_markdown(&mut out, reports)?,
        () => triage::print(&mut out, reports, style)?,
    }
    out.flush()
}
