//! `kharness triage`: prints the kernel reports of a log.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use crate::cli::Global;
use crate::error::Failure;
use crate::exit::Exit;
use crate::triage::{self, Style};

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
    print(args, global, &reports)?;
    Ok(if reports.is_empty() { Exit::Good } else { Exit::Failed })
}

fn print(args: &Args, global: &Global, reports: &[klog::Report]) -> io::Result<()> {
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
