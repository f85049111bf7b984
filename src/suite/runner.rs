//! The workers.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Instant;

use super::attempt::{Bench, attempt};
use super::directory::RunDir;
use super::order::Durations;
use super::rounds::{Rounds, Until};
use super::slots::Slots;
use super::templates::Templates;
use super::tested;
use crate::host::Watch;
use crate::memory::Budget;
use crate::output::Terminal;
use crate::plan::{Engine, Test, unmet, unrecordable};
use crate::results::{Status, TestResult};
use crate::run::{Debugging, Stage, interrupted, scale_of};
use crate::saved_boot::{SavedBoot, Target};
use crate::scenario::model::{KERNEL_AXIS, Machine};

/// How much longer than emulation alone it may take to record it, too: measured was 2 for a boot.
const RECORDING: f64 = 3.0;

/// What all tests of a run share.
pub struct Options {
    /// What boots guests.
    pub engine: Engine,
    /// Factor on every limit, where the command line states one.
    pub timeout_scale: Option<f64>,
    /// Factor on every limit for the load of the host, where it does not.
    pub load_scale: f64,
    /// Whether tests with the same boot share it.
    pub forks: bool,
    /// Guests at the same time, where the command line states how many.
    pub jobs: Option<usize>,
    /// How long tests took before.
    pub durations: Durations,
    /// Directory of the cache.
    pub cache: PathBuf,
    /// Seed of tests that state none.
    pub seed: u64,
    /// Words of the command line that a repro line needs too.
    pub repro: Vec<String>,
    /// Start of the run.
    pub clock: Instant,
    /// What watches how much of the host the guests get.
    pub watch: Watch,
    /// How many snapshots may be kept.
    pub keep: Budget,
    /// The booted guest, of an earlier invocation, of which copies are to be made.
    pub from: Option<SavedBoot>,
    /// Where to save the booted guest.
    pub save_boot: Option<Target>,
    /// Whether what guests do is recorded.
    pub record: bool,
    /// When to stop guests for a debugger, if at all.
    pub debug: Option<Debugging>,
}

impl Options {
    /// Factor on every limit of a test on `machine`.
    pub fn scale(&self, machine: &Machine) -> f64 {
        let backend = self.engine.for_machine(machine).map(|engine| engine.backend());
        let of_recording = if self.record { RECORDING } else { 1.0 };
        let of_backend = || backend.map_or(1.0, scale_of) * self.load_scale * of_recording;
        self.timeout_scale.unwrap_or_else(of_backend)
    }
}

/// Told of each result at once: its index among all so far, which are lent.
pub type Keep<'a> = &'a (dyn Fn(usize, &mut Vec<TestResult>) + Sync);

/// Results so far, in the order of their places.
#[derive(Default)]
struct Done {
    places: Vec<usize>,
    results: Vec<TestResult>,
}

impl Done {
    /// Takes one more, and gives its index.
    fn insert(&mut self, place: usize, result: TestResult) -> usize {
        let at = self.places.partition_point(|before| *before < place);
        self.places.insert(at, place);
        self.results.insert(at, result);
        at
    }
}

/// Runs all tests, round after round `until` it is time to end, and gives those that have a result, and their
/// results, in the order of the plan. After an interrupt no test is begun, and those that were running have
/// no result.
pub fn run_all(
    tests: &[Test],
    until: Until,
    options: &Options,
    dir: &RunDir,
    terminal: &Terminal,
    keep: Keep,
) -> (Vec<Test>, Vec<TestResult>) {
    let slots = Slots::of_host(options.jobs);
    let templates = Templates::new(tests, until.is_endless(), options, &slots, &dir.path);
    let ids: Vec<&str> = tests.iter().map(|test| test.id.as_str()).collect();
    let order = options.durations.order(&ids, |index| templates.is_led_by(&tests[index]));
    let rounds = Rounds::new(order, until);
    let started = Instant::now();
    let done: Mutex<Done> = Mutex::default();
    let work = &|worker: u32| {
        let bench = Bench { templates: &templates, slots: &slots, options, worker };
        let may_begin = || !interrupted() && rounds.may_begin(started.elapsed());
        while let Some(turn) = rounds.next().filter(|_| may_begin()) {
            let test = tests[turn.test].again(turn.round);
            terminal.test_started(&test.id);
            let result = run_one(&test, &bench, dir, terminal, &may_begin);
            let Some(result) = result.filter(|_| !interrupted()) else { return };
            if !result.status.is_good() {
                rounds.note_failure();
            }
            terminal.test_finished(&result);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            let at = done.insert(turn.place, result);
            keep(at, &mut done.results);
        }
    };
    thread::scope(|scope| {
        let most = if until.is_endless() { usize::MAX } else { tests.len() };
        for worker in (0..).take(workers(slots.most(), until).min(most.max(1))) {
            scope.spawn(move || work(worker));
        }
    });
    let Done { places, results } = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let ran = |place| rounds.turn(place).map(|turn| tests[turn.test].again(turn.round));
    places
        .into_iter()
        .zip(results)
        .filter_map(|(place, result)| Some((ran(place)?, result)))
        .unzip()
}

/// As many as guests run at a time; besides them, as many whose guests are about to end, and one that makes
/// the next guest ready. Where the first failure ends the run, nothing begins while its result may still come.
fn workers(guests: usize, until: Until) -> usize {
    if until.failure { guests } else { guests.saturating_mul(2).saturating_add(1) }
}

/// The result of a test; nothing if it is not to begin any more once its turn has come.
fn run_one(
    test: &Test,
    bench: &Bench,
    dir: &RunDir,
    terminal: &Terminal,
    may_begin: &dyn Fn() -> bool,
) -> Option<TestResult> {
    let scenario = &test.loaded.scenario;
    let repro = repro(test, bench.options);
    let unrecordable = || unrecordable(scenario).filter(|_| bench.options.record);
    if let Some(reason) = unmet(scenario, &test.kernel).or_else(unrecordable) {
        return Some(tested::skipped(test, reason, repro));
    }
    let mut attempts = Vec::new();
    let mut last_dir = PathBuf::new();
    for number in 1..=1 + scenario.retries as usize {
        let attempted = match dir.attempt(&test.id, number) {
            Ok(path) => {
                last_dir = path;
                let on_stage = |stage: Stage| terminal.test_phase(&test.id, &stage.to_string());
                attempt(test, bench, &last_dir, || number > 1 || may_begin(), &on_stage)?
            }
            Err(error) => super::attempt::failed(error.to_string()),
        };
        let status = attempted.attempt.status;
        attempts.push(attempted);
        if !matches!(status, Status::Fail | Status::Timeout) || interrupted() {
            break;
        }
    }
    Some(tested::result(test, attempts, &last_dir, &dir.path, repro))
}

/// The command that runs exactly this test again.
fn repro(test: &Test, options: &Options) -> String {
    let path = test.loaded.path.display().to_string();
    let cell = test.loaded.cell.words();
    let mut words = vec!["kharness", "run", &path];
    // `--kernel` takes the place of the axis of kernels, and of the name that it gives to the test.
    if test.loaded.cell.get(KERNEL_AXIS).is_none() {
        words.extend(["--kernel", &test.kernel.source]);
    }
    if !cell.is_empty() {
        words.extend(["--cell", &cell]);
    }
    let seed = test.seed(options.seed).to_string();
    words.extend(["--seed", &seed]);
    words.extend(options.repro.iter().map(String::as_str));
    shlex::try_join(words.iter().copied()).unwrap_or_else(|_| words.join(" "))
}
