//! `kharness run`: boots, drives, judges.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Instant;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::cli::Global;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::Terminal;
use crate::plan::{Engine, Kernels, Test, plan};
use crate::results::{Document, HostInfo, KernelInfo, RunInfo, SCHEMA, Status, TestResult};
use crate::run::{interrupted, listen_for_interrupts, scale_of};
use crate::scenario::discover::Selection;
use crate::scenario::model::Backend;
use crate::suite::{Options, RunDir, run_all};

/// Arguments of `kharness run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Kernel: a build tree, a bzImage, a vmlinux, `host`, or a cached one such as `debian`
    /// [default: what the scenario names, else $KHARNESS_KERNEL, else debian]
    #[arg(short, long, value_name = "KERNEL")]
    kernel: Option<String>,
    /// What runs the guests [default: auto]
    #[arg(long, value_name = "BACKEND")]
    backend: Option<Backend>,
    /// Tests at the same time [default: half of the CPUs]
    #[arg(short, long, value_name = "N")]
    jobs: Option<usize>,
    /// Multiply every timeout by FACTOR [default: 1 with KVM, 4 under emulation]
    #[arg(long, value_name = "FACTOR", value_parser = positive)]
    timeout_scale: Option<f64>,
    /// Directory for everything that the run leaves [default: one below $XDG_STATE_HOME]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Seed of everything random, for scenarios that state none [default: a new one]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Write the results document to standard output, and everything else to standard error
    #[arg(long)]
    json: bool,
    /// The KVM device
    #[arg(long, value_name = "PATH", default_value = "/dev/kvm", hide = true)]
    kvm_device: PathBuf,
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    if number > 0.0 && number.is_finite() {
        Ok(number)
    } else {
        Err(format!("`{text}` is not a positive number"))
    }
}

/// Runs the selected scenarios.
///
/// # Errors
/// When nothing can be run; what goes wrong in a test is that test's result.
pub fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let started = Utc::now();
    let clock = Instant::now();
    let scenarios = args.selection.load()?;
    if scenarios.is_empty() {
        return Err(Failure::nothing_selected(&args.selection));
    }
    let mut kernels = Kernels::new(args.kernel.clone()).map_err(harness)?;
    let tests = plan(scenarios, &mut kernels).map_err(usage)?;
    let engine = Engine::choose(backend(args, &tests), &args.kvm_device).map_err(harness)?;
    let dir = RunDir::create(args.run_dir.as_deref(), started).map_err(harness)?;
    listen_for_interrupts()?;

    let seed = args.seed.unwrap_or_else(|| fresh_seed(started));
    let run = run_info(&dir, started, seed, &engine);
    let terminal = Terminal::new(global.quiet, args.json);
    let names: Vec<String> =
        kernels.all().map(|kernel| format!("{} ({})", kernel.source, kernel.release)).collect();
    terminal.started(&run, tests.len(), &names);
    let options = Options {
        timeout_scale: args.timeout_scale.unwrap_or_else(|| scale_of(engine.backend())),
        jobs: args.jobs.unwrap_or_else(default_jobs),
        cache: kernels.cache().root().to_owned(),
        seed,
        repro: repro_words(args),
        engine,
    };
    let document = |results: &[TestResult]| Document {
        schema: SCHEMA,
        run: RunInfo {
            duration_ms: u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX),
            interrupted: interrupted() || results.len() < tests.len(),
            ..run.clone()
        },
        kernels: kernels.all().map(kernel_info).collect(),
        results: results.to_vec(),
    };
    let keep = |results: &[TestResult]| save(&dir, &document(results));
    let results = run_all(&tests, &options, &dir, &terminal, &keep);
    let document = document(&results);
    save(&dir, &document);
    terminal.finished(&document);
    if args.json {
        serde_json::to_writer_pretty(io::stdout().lock(), &document).map_err(io::Error::from)?;
        writeln!(io::stdout())?;
    }
    Ok(exit(&document))
}

fn usage(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Usage, error)
}

fn harness(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Harness, error)
}

/// The command line decides; else a scenario may insist on KVM for all of the run.
fn backend(args: &Args, tests: &[Test]) -> Backend {
    let stated = tests.iter().map(|test| test.loaded.scenario.machine.backend);
    args.backend.or_else(|| stated.into_iter().find(|b| *b != Backend::Auto)).unwrap_or_default()
}

fn default_jobs() -> usize {
    available_parallelism().map_or(1, |cpus| (cpus.get() / 2).max(1))
}

fn repro_words(args: &Args) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(backend) = args.backend {
        words.extend(["--backend".to_owned(), backend.to_string()]);
    }
    if let Some(scale) = args.timeout_scale {
        words.extend(["--timeout-scale".to_owned(), scale.to_string()]);
    }
    words
}

/// Any number will do that differs from run to run and is easy to read and type.
fn fresh_seed(started: DateTime<Utc>) -> u64 {
    u64::from(started.timestamp_subsec_micros())
}

fn run_info(dir: &RunDir, started: DateTime<Utc>, seed: u64, engine: &Engine) -> RunInfo {
    RunInfo {
        id: dir.id.clone(),
        started: started.to_rfc3339_opts(SecondsFormat::Secs, true),
        host: host_info(),
        backend: engine.backend().to_string(),
        backend_reason: engine.reason.clone(),
        seed,
        duration_ms: 0,
        interrupted: false,
        dir: dir.path.display().to_string(),
    }
}

fn host_info() -> HostInfo {
    let names = rustix::system::uname();
    HostInfo {
        name: names.nodename().to_string_lossy().into_owned(),
        kernel: names.release().to_string_lossy().into_owned(),
        arch: names.machine().to_string_lossy().into_owned(),
        cpus: available_parallelism().map_or(1, Into::into),
    }
}

fn kernel_info(kernel: &guest_image::kernel::Kernel) -> KernelInfo {
    KernelInfo {
        name: kernel.source.clone(),
        release: kernel.release.clone(),
        arch: kernel.arch.to_string(),
        image: kernel.image.display().to_string(),
    }
}

/// Keeps the document on disk; a full disk must not lose what is on the terminal.
fn save(dir: &RunDir, document: &Document) {
    let written = serde_json::to_vec_pretty(document).map_err(io::Error::from).and_then(|json| {
        let partial = dir.path.join("results.json.partial");
        fs::write(&partial, json)?;
        fs::rename(&partial, dir.path.join("results.json"))
    });
    if let Err(error) = written {
        let path = dir.path.join("results.json");
        anstream::eprintln!("kharness: cannot write {}: {error}", path.display());
    }
}

/// A failed test outweighs a fault of the host: both are told, and the first is certain.
fn exit(document: &Document) -> Exit {
    let results = &document.results;
    let bad = |result: &TestResult| !result.status.is_good() && result.status != Status::Error;
    if document.run.interrupted {
        Exit::Interrupted
    } else if results.iter().any(bad) {
        Exit::Failed
    } else if results.iter().any(|result| result.status == Status::Error) {
        Exit::Harness
    } else {
        Exit::Good
    }
}
