//! Finds the workload that the command line names.

use std::path::Path;
use std::process::ExitCode;

use crate::workload::options::Options;
use crate::workload::{forkstorm, hog, latency, spin};

/// Why a workload ended early.
#[derive(Debug)]
pub enum Stopped {
    /// The arguments make no sense.
    Usage(String),
    /// The kernel refused something.
    Refused(String),
}

type Workload = fn(&mut Options) -> Result<(), Stopped>;

/// Runs the workload that the name of this program, or its first argument, states; `None` if
/// neither does.
pub fn run(arguments: &[String]) -> Option<ExitCode> {
    (0..=1).find_map(|at| {
        let name = Path::new(arguments.get(at)?).file_name()?.to_str()?;
        let (workload, usage) = find(name)?;
        let mut options = Options::new(&arguments[at + 1..]);
        Some(conclude(name, usage, workload(&mut options)))
    })
}

fn find(name: &str) -> Option<(Workload, &'static str)> {
    match name {
        "kh-forkstorm" => Some((forkstorm::run, forkstorm::USAGE)),
        "kh-hog" => Some((hog::run, hog::USAGE)),
        "kh-latency" => Some((latency::run, latency::USAGE)),
        "kh-spin" => Some((spin::run, spin::USAGE)),
        _ => None,
    }
}

fn conclude(name: &str, usage: &str, result: Result<(), Stopped>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stopped::Refused(reason)) => {
            eprintln!("{name}: {reason}");
            ExitCode::from(1)
        }
        Err(Stopped::Usage(reason)) => {
            eprintln!("{name}: {reason}\nusage: {name} {usage}");
            ExitCode::from(2)
        }
    }
}
