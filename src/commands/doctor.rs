//! `kharness doctor`: what is right and what is wrong, and what to do about it.

use std::io::{self, Write};

use serde::Serialize;

use crate::doctor::{self, Check, Detector, State};
use crate::error::Failure;
use crate::exit::Exit;

/// Arguments of `kharness doctor`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print which detectors this kernel has, from its configuration; also the path of a configuration file
    #[arg(short, long, value_name = "KERNEL")]
    kernel: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// The document of `--json`.
#[derive(Debug, Serialize)]
struct Document {
    /// Version of this form.
    schema: u32,
    /// The worst of all.
    state: State,
    /// Checks of the host.
    host: Vec<Check>,
}

/// Looks at the host.
///
/// # Errors
/// When the output cannot be written.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    if let Some(kernel) = &args.kernel {
        return detectors_of(kernel, args.json);
    }
    let host = doctor::host();
    let state = host.iter().map(|check| check.state).max().unwrap_or(State::Good);
    if args.json {
        let document = Document { schema: 1, state, host };
        serde_json::to_writer_pretty(io::stdout().lock(), &document).map_err(io::Error::from)?;
        writeln!(io::stdout())?;
    } else {
        print(&host)?;
    }
    Ok(if state == State::Broken { Exit::Harness } else { Exit::Good })
}

fn print(checks: &[Check]) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    for check in checks {
        let word = match check.state {
            State::Good => "ok",
            State::Limited => "limited",
            State::Broken => "BROKEN",
        };
        writeln!(out, "{word:>8}  {:<13} {}", check.name, check.found)?;
        if let Some(fix) = &check.fix {
            writeln!(out, "{:>8}  {:<13} {fix}", "", "")?;
        }
    }
    Ok(())
}

/// The document of `--kernel K --json`.
#[derive(Debug, Serialize)]
struct Detectors {
    /// Version of this form.
    schema: u32,
    /// The kernel's release, and its architecture where that is known.
    kernel: String,
    /// What it can report.
    detectors: Vec<Detector>,
}

fn detectors_of(name: &str, json: bool) -> Result<Exit, Failure> {
    let doctor::Configured { kernel, config } = doctor::configured(name)?;
    let detectors = doctor::detectors(&config);
    if json {
        let document = Detectors { schema: 1, kernel, detectors };
        serde_json::to_writer_pretty(io::stdout().lock(), &document).map_err(io::Error::from)?;
        writeln!(io::stdout())?;
        return Ok(Exit::Good);
    }
    writeln!(io::stdout(), "{kernel}")?;
    for detector in &detectors {
        writeln!(io::stdout(), "{}", line(detector))?;
    }
    Ok(Exit::Good)
}

fn line(detector: &Detector) -> String {
    let Detector { finds, reports, option, present, note } = detector;
    let word = if *present { "yes" } else { "no" };
    let how = match (option.is_empty(), note) {
        (true, _) => String::new(),
        (false, None) => format!("CONFIG_{option}"),
        (false, Some(note)) => format!("CONFIG_{option}: {note}"),
    };
    format!("{word:>8}  {finds:<38} {reports:<32} {how}").trim_end().to_owned()
}
