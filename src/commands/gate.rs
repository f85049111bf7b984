//! `kharness gate`: whether results are worse than a baseline.

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{Days, NaiveDate, Utc};

use crate::error::Failure;
use crate::exit::Exit;
use crate::gate::{
    Base, Baseline, Comparison, DEFAULT_DAYS, History, Known, Margins, Rules, Side, compare,
    exit_of, load_base, print, summarize,
};
use crate::results::read_all;

/// Arguments of `kharness gate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to compare with: a file of `--write-baseline`, results, or a run, a kernel release or
    /// `last` of the history
    #[arg(long, value_name = "BASELINE")]
    baseline: Option<String>,
    /// Results to judge [default: the latest run]
    #[arg(long, value_name = "RESULTS", num_args = 1..)]
    current: Vec<PathBuf>,
    #[command(flatten)]
    history: History,
    /// Write a baseline of the results to judge; what regressed becomes known
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
    /// Why what regressed is known and not fixed
    #[arg(long, value_name = "TEXT", requires = "write_baseline")]
    reason: Option<String>,
    /// Where it is followed up
    #[arg(long, value_name = "URL", requires = "reason")]
    link: Option<String>,
    /// Last day on which it is excused [default: in 90 days]
    #[arg(long, value_name = "DAY", requires = "reason")]
    until: Option<NaiveDate>,
    /// Fail on tests that newly fail sometimes, too
    #[arg(long)]
    fail_on_flaky: bool,
    /// Probability of calling any number worse by chance
    #[arg(long, value_name = "P", default_value_t = 0.01)]
    alpha: f64,
    /// Least change of a number's median, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    margin: f64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Compares, prints, and writes a new baseline where one is wanted.
///
/// # Errors
/// When there are no results or no baseline, or the new one cannot be written.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, error);
    let current = current(args)?;
    let store = args.history.path();
    let base = match &args.baseline {
        Some(name) => load_base(name, store.as_deref()).map_err(|error| usage(&error))?,
        None if args.write_baseline.is_some() => Base::default(),
        None => return Err(usage(&"name a --baseline, or write one with --write-baseline FILE")),
    };
    let found = compare(&base.side, &current, &rules(args, &base));
    if let Some(path) = &args.write_baseline {
        write_baseline(args, path, base, current, &found)?;
        return Ok(Exit::Good);
    }
    if args.json {
        serde_json::to_writer_pretty(io::stdout().lock(), &found).map_err(io::Error::from)?;
        writeln!(io::stdout())?;
    } else {
        write!(anstream::stdout(), "{}", print(&found))?;
    }
    summarize(&found);
    Ok(exit_of(&found))
}

fn rules<'a>(args: &Args, base: &'a Base) -> Rules<'a> {
    Rules {
        known: &base.known,
        margins: Margins { alpha: args.alpha, change: args.margin / 100.0, ..Margins::default() },
        flaky_fails: args.fail_on_flaky,
        today: Utc::now().date_naive(),
    }
}

fn current(args: &Args) -> Result<Side, Failure> {
    let paths = if args.current.is_empty() { vec![latest()?] } else { args.current.clone() };
    let documents = read_all(&paths).map_err(|error| Failure::new(Exit::Usage, error))?;
    Ok(Side::of(&documents))
}

/// The newest run in the default place. Names begin with the time.
fn latest() -> Result<PathBuf, Failure> {
    let none = || Failure::new(Exit::Usage, "no run yet: name results with --current");
    let runs = crate::suite::default_place().map_err(|_| none())?;
    let listing = std::fs::read_dir(runs).map_err(|_| none())?;
    listing.flatten().map(|entry| entry.path()).max().ok_or_else(none)
}

/// What regressed becomes known, for a reason. What was known and still fails stays so with the
/// reason that it has; what does not fail any more is dropped.
fn write_baseline(
    args: &Args,
    path: &Path,
    base: Base,
    current: Side,
    found: &Comparison,
) -> Result<(), Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, error);
    let mut known = base.known;
    known.retain(|known| !found.stale.contains(known) && !found.expired.contains(known));
    if !found.regressions.is_empty() {
        let reason = args.reason.as_ref().ok_or_else(|| {
            let tests: Vec<&str> = found.regressions.iter().map(|f| f.test.as_str()).collect();
            usage(&format!("say with --reason why these are known: {}", tests.join(", ")))
        })?;
        let until = args.until.unwrap_or_else(|| Utc::now().date_naive() + Days::new(DEFAULT_DAYS));
        known.extend(found.regressions.iter().map(|finding| Known {
            test: finding.test.clone(),
            what: Some(finding.what.clone()),
            reason: reason.clone(),
            link: args.link.clone().or_else(|| env::var("CI_JOB_URL").ok()),
            until,
        }));
    }
    let count = known.len();
    Baseline::new(current, known)
        .write(path)
        .map_err(|error| Failure::new(Exit::Harness, error))?;
    anstream::eprintln!("wrote {} ({count} known failures)", path.display());
    Ok(())
}
