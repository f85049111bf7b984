//! `kharness run`: boots, drives, judges.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, Utc};

use crate::cli::Global;
use crate::error::Failure;
use crate::exit::Exit;
use crate::gate::After;
use crate::host::{Watch, load_scale};
use crate::memory::Budget;
use crate::output::{Files, Terminal};
use crate::plan::{
    Engine, Kernels, Lacking, MachineChoice, NoEngine, ParamOverride, Partition, PartitionChoice,
    Test, fit_for_recording, hand_over, lacking, override_params, plan,
};
use crate::results::{
    Document, HostInfo, KernelInfo, RunInfo, SCHEMA, Status, TestResult, digest, stale,
};
use crate::run::{Debugging, interrupted, listen_for_interrupts};
use crate::saved_boot::{SavedBoot, Target};
use crate::scenario::discover::Selection;
use crate::scenario::load_allowed;
use crate::scenario::model::Backend;
use crate::suite::{
    Durations, Options, Record, RunDir, Until, check_one_boot, check_saved_boot, doubt, run_all,
};

/// Arguments of `kharness run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Kernel: a build tree, a bzImage, a vmlinux, `host`, or a cached one such as `debian`
    /// [default: what the scenario names, else $KHARNESS_KERNEL, else debian]
    #[arg(short, long, value_name = "KERNEL")]
    kernel: Option<String>,
    /// Run only if the kernel's configuration has all that the scenarios require; else print what it
    /// lacks
    #[arg(long)]
    ensure_config: bool,
    #[command(flatten)]
    machine: MachineChoice,
    /// What runs the guests [default: auto]
    #[arg(long, value_name = "BACKEND")]
    backend: Option<Backend>,
    /// Guests at the same time [default: as many as have a CPU of the host for each of their own]
    #[arg(short, long, value_name = "N")]
    jobs: Option<usize>,
    /// Multiply every timeout by FACTOR [default: 1 with KVM, 4 under emulation]
    #[arg(long, value_name = "FACTOR", value_parser = positive)]
    timeout_scale: Option<f64>,
    /// Directory for everything that the run leaves [default: one below $XDG_STATE_HOME]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Boot for each test, instead of once for all tests with the same kernel and machine
    #[arg(long)]
    no_fork: bool,
    /// Record each guest, to do a test that failed again to the instruction (`kharness replay`): in QEMU's emulation, on one vCPU
    #[arg(long)]
    record: bool,
    /// Save the booted guest in DIR, to begin with it the next time (`--from`): with one kernel and machine
    #[arg(long, value_name = "DIR", conflicts_with_all = ["no_fork", "record", "from"])]
    save_boot: Option<PathBuf>,
    /// Copy the booted guest that `--save-boot` left in DIR, instead of booting
    #[arg(long, value_name = "DIR", conflicts_with_all = ["no_fork", "record"])]
    from: Option<PathBuf>,
    /// Delay no vCPUs, whatever the scenarios say: how often a race shows by itself
    #[arg(long)]
    no_perturb: bool,
    /// Keep all snapshots: those of tests that pass, too, and any number [default: 8 of failures, 4 GiB]
    #[arg(long)]
    keep: bool,
    /// Seed of everything random, for scenarios that state none [default: a new one]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Run every test N times, each in a fresh machine [default: what the scenario says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    repeat: Option<u32>,
    /// Run the tests again and again, each in a fresh machine and with the next seed, until one is not good
    #[arg(long, conflicts_with_all = ["repeat", "partition"])]
    until_fail: bool,
    /// Run the tests again and again, each in a fresh machine and with the next seed, for TIME, such as `10m`
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, conflicts_with_all = ["repeat", "partition"])]
    soak: Option<Duration>,
    /// Try a test that is not good N times more at least, each in a fresh machine [default: what the scenario says]
    #[arg(long, value_name = "N")]
    retries: Option<u32>,
    /// What a test that failed at first and then passed does to the run
    #[arg(long, value_name = "RESULT", default_value = "pass")]
    flaky_result: FlakyResult,
    /// Only part M of N of the tests: `hash:M/N`, `slice:M/N`, or `none`
    /// [default: what GitLab, Buildkite, CircleCI, Bazel, Slurm or Kubernetes say]
    #[arg(long, value_name = "PART")]
    partition: Option<PartitionChoice>,
    /// Exit with what `git bisect run` wants: 0 good, 1 bad, 125 cannot tell
    #[arg(long)]
    bisect: bool,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    after: After,
    /// Set a parameter of a module, over what the scenarios say; may be repeated
    #[arg(long, value_name = "MODULE.NAME=VALUE")]
    param: Vec<ParamOverride>,
    /// File of known kernel reports, with the key `allow` of scenarios, for all scenarios; may be given again
    #[arg(long, value_name = "FILE")]
    allow: Vec<PathBuf>,
    /// Do not prove with a planted report that this kernel's reports are seen
    #[arg(long)]
    no_canary: bool,
    /// Write the results document to standard output, and everything else to standard error
    #[arg(long)]
    json: bool,
    /// The KVM device
    #[arg(long, value_name = "PATH", default_value = "/dev/kvm", hide = true)]
    kvm_device: PathBuf,
    /// What `kharness debug` adds.
    #[arg(skip)]
    debug: Option<Debugging>,
    /// What `kharness shell` runs in place of the steps: a program, or a shell.
    #[arg(skip)]
    shell: Option<Option<Vec<String>>>,
    /// Whether that is in a guest of no scenario.
    #[arg(skip)]
    is_plain_shell: bool,
}

impl Args {
    fn until(&self) -> Until {
        Until { failure: self.until_fail, over: self.soak }
    }

    /// The same, one guest at a time and each booted for itself, with a debugger.
    pub fn for_debugging(self, debug: Debugging) -> Self {
        Self { debug: Some(debug), jobs: Some(1), no_fork: true, ..self }
    }

    /// The same for one guest, in which `program` or a shell runs in place of the steps; `plain` is the scenario
    /// where none is named. Nothing is learnt about the kernel that would be of use to other runs.
    pub fn for_shell(mut self, program: Option<Vec<String>>, plain: &Path) -> Self {
        if self.selection.paths.is_empty() {
            self.selection.paths.push(plain.to_owned());
            self.is_plain_shell = true;
        }
        let after = After::unrecorded();
        let no_fork = self.from.is_none();
        Self { shell: Some(program), jobs: Some(1), no_fork, no_canary: true, after, ..self }
    }
}

/// What a flaky test does to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FlakyResult {
    /// Nothing: it is listed.
    Pass,
    /// It fails the run.
    Fail,
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
    match carry_out(args, global) {
        Err(failure) if args.bisect => Err(failure.with_exit(Exit::CannotTell)),
        outcome => outcome,
    }
}

fn carry_out(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let started = Utc::now();
    let clock = Instant::now();
    let mut scenarios = args.selection.load()?;
    if scenarios.is_empty() {
        return Err(Failure::nothing_selected(&args.selection));
    }
    args.machine.apply(&mut scenarios).map_err(usage)?;
    override_params(&mut scenarios, &args.param).map_err(usage)?;
    if let Some(retries) = args.retries {
        for loaded in &mut scenarios {
            loaded.scenario.retries = loaded.scenario.retries.max(retries);
        }
    }
    if args.record {
        if args.backend == Some(Backend::Kvm) {
            return Err(usage("backend kvm records nothing: leave `--backend` out, or `--record`"));
        }
        fit_for_recording(&mut scenarios);
    }
    if args.no_perturb {
        scenarios.iter_mut().for_each(|loaded| loaded.scenario.perturb = None);
    }
    for file in &args.allow {
        let known = load_allowed(file)?;
        for loaded in &mut scenarios {
            loaded.scenario.allow.extend(known.iter().cloned());
        }
    }
    if let Some(program) = &args.shell {
        let [loaded] = &mut scenarios[..] else { return Err(usage(one_guest(scenarios.len()))) };
        hand_over(&mut loaded.scenario, program.clone());
    }
    let from = args.from.as_deref().map(SavedBoot::read).transpose().map_err(usage)?;
    let mut kernel = args.kernel.clone();
    if let (Some(from), true) = (&from, args.is_plain_shell) {
        let identity = &from.about.identity;
        scenarios.iter_mut().for_each(|loaded| identity.lend_to(&mut loaded.scenario.machine));
        kernel = kernel.or_else(|| Some(identity.kernel.clone()));
    }
    let mut kernels = Kernels::new(kernel).map_err(harness)?;
    // Rounds take the place of what scenarios say of repetitions.
    let until = args.until();
    let repeat = if until.is_endless() { Some(1) } else { args.repeat };
    let selected = plan(scenarios, repeat, &mut kernels).map_err(usage)?;
    let plan_digest = digest(selected.iter().map(|test| test.id.as_str()));
    let partition = PartitionChoice::resolve(args.partition.as_ref()).map_err(usage)?;
    let tests = partition.as_ref().map_or(selected.clone(), |part| part.take(selected));
    if args.ensure_config {
        ensure_config(&lacking(&tests))?;
    }
    let engine = engine(args, &tests).map_err(harness)?;
    let dir = RunDir::create(args.run_dir.as_deref(), started).map_err(harness)?;
    listen_for_interrupts()?;

    let seed = args.seed.unwrap_or_else(|| fresh_seed(started));
    let run = RunInfo {
        flaky_fails: args.flaky_result == FlakyResult::Fail,
        partition: partition.as_ref().map(Partition::info),
        planned: tests.iter().map(|test| test.id.clone()).collect(),
        plan_digest,
        ..run_info(&dir, started, seed, &engine)
    };
    let terminal = match args.shell {
        Some(_) => Terminal::for_shell(global.quiet),
        None => Terminal::new(global.quiet, args.json),
    };
    let names: Vec<String> =
        kernels.all().map(|kernel| format!("{} ({})", kernel.source, kernel.release)).collect();
    terminal.started(&run, tests.len(), &names);
    if let Some(part) = &partition {
        terminal.note("Partition", &part.to_string());
    }
    if args.record {
        let again = format!("kharness replay {}", dir.path.display());
        terminal.note("Recording", &format!("each guest, on one vCPU; a failure again: {again}"));
    }
    if until.is_endless() {
        terminal.note("Rounds", &until.to_string());
    }
    let options = Options {
        timeout_scale: args.timeout_scale,
        load_scale: load_scale(),
        forks: !args.no_fork && !args.record,
        jobs: args.jobs,
        durations: Durations::of_history(args.after.history().as_deref()),
        cache: kernels.cache().root().to_owned(),
        seed,
        repro: repro_words(args),
        clock,
        watch: Watch::start(),
        keep: Budget::new(args.keep),
        from,
        save_boot: args.save_boot.as_deref().map(Target::new).transpose().map_err(usage)?,
        record: args.record,
        debug: args.debug.clone(),
        engine,
    };
    check_saved_boot(&tests, &options).map_err(usage)?;
    if options.save_boot.is_some() {
        check_one_boot(&tests, &options).map_err(usage)?;
    }
    let document = |results: Vec<TestResult>| Document {
        schema: SCHEMA,
        run: RunInfo {
            duration_ms: u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX),
            interrupted: interrupted() || (!until.is_endless() && results.len() < tests.len()),
            planned: if until.is_endless() { ids(&results) } else { run.planned.clone() },
            ..run.clone()
        },
        kernels: kernels.all().map(kernel_info).collect(),
        stale_allowances: stale(&tests, &results, Utc::now().date_naive()),
        results,
    };
    let record = Record::create(&dir, args.files.journals(), &document(Vec::new()));
    let keep = |index: usize, results: &mut Vec<TestResult>| record.keep(index, results, document);
    let (ran, mut results) = run_all(&tests, until, &options, &dir, &terminal, &keep);
    // A recording is made to explain a failure, and a canary is slow to record.
    if !args.no_canary && !args.record {
        doubt(&ran, &mut results, &options, &dir);
    }
    let document = document(results);
    let recorded = if record.finish(&document) { Exit::Good } else { Exit::Harness };
    terminal.finished(&document);
    let written = args.files.write(&document);
    if args.json {
        serde_json::to_writer_pretty(io::stdout().lock(), &document).map_err(io::Error::from)?;
        writeln!(io::stdout())?;
    }
    let exit = args.after.carry_out(&document, &terminal, exit(&document))?;
    let exit = exit.worst(written).worst(recorded).worst(saved(&options, &terminal));
    Ok(if args.bisect { for_bisect(&document, exit) } else { exit })
}

/// Tells where the booted guest was saved, or why it was not.
fn saved(options: &Options, terminal: &Terminal) -> Exit {
    let Some(target) = &options.save_boot else { return Exit::Good };
    match target.outcome() {
        Ok(()) => {
            terminal.note("Saved", &format!("the booted guest: --from {}", target.dir().display()));
            Exit::Good
        }
        Err(why) => {
            terminal.warning("Saved", &format!("nothing: {why}"));
            Exit::Harness
        }
    }
}

fn engine(args: &Args, tests: &[Test]) -> Result<Engine, NoEngine> {
    if args.record {
        return Engine::for_recording();
    }
    let machines = tests.iter().map(|test| &test.loaded.scenario.machine);
    Engine::for_run(args.backend, &args.kvm_device, machines)
}

fn ids(results: &[TestResult]) -> Vec<String> {
    results.iter().map(|result| result.id.clone()).collect()
}

/// The fragment goes to standard output, for a file; all else is for people.
fn ensure_config(lacking: &[Lacking]) -> Result<(), Failure> {
    let told: Vec<String> = lacking.iter().map(Lacking::to_string).collect();
    for kernel in lacking {
        write!(io::stdout(), "{}", kernel.fragment())?;
    }
    if told.is_empty() { Ok(()) } else { Err(usage(told.join("\n"))) }
}

fn usage(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Usage, error)
}

fn one_guest(selected: usize) -> String {
    format!(
        "a shell is in one guest, and {selected} scenarios were selected: name one, or a `--cell`"
    )
}

fn harness(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Harness, error)
}

fn repro_words(args: &Args) -> Vec<String> {
    let mut words = args.machine.words();
    for file in &args.allow {
        words.extend(["--allow".to_owned(), file.display().to_string()]);
    }
    if let Some(backend) = args.backend {
        words.extend(["--backend".to_owned(), backend.to_string()]);
    }
    if args.no_fork {
        words.push("--no-fork".to_owned());
    }
    if args.record {
        words.push("--record".to_owned());
    }
    if args.no_perturb {
        words.push("--no-perturb".to_owned());
    }
    if let Some(scale) = args.timeout_scale {
        words.extend(["--timeout-scale".to_owned(), scale.to_string()]);
    }
    for param in &args.param {
        words.extend(["--param".to_owned(), param.to_string()]);
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
        interrupted: true,
        flaky_fails: false,
        partition: None,
        planned: Vec::new(),
        plan_digest: String::new(),
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

/// A failed test outweighs a fault of the host: both are told, and the first is certain.
pub fn exit(document: &Document) -> Exit {
    let results = &document.results;
    let bad =
        |result: &TestResult| !document.accepts(result.status) && result.status != Status::Error;
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

/// What a bisection makes of it: a run in which nothing was tested is no good revision.
fn for_bisect(document: &Document, exit: Exit) -> Exit {
    let skipped = document.results.iter().all(|result| result.status == Status::Skip);
    match exit {
        Exit::Good if skipped => Exit::CannotTell,
        Exit::Good | Exit::Failed | Exit::Interrupted => exit,
        _ => Exit::CannotTell,
    }
}
