//! One attempt of a test: image, machine, steps, verdict, and the files that tell of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use chrono::Utc;
use vmm::Config;

use super::guest::{NotBooted, Prepared};
use super::measure::measures;
use super::places;
use super::ready::Ready;
use super::runner::Options;
use super::slots::Slots;
use super::templates::{Templates, is_copied};
use crate::commands::inspect::describe;
use crate::host::honest;
use crate::memory::live::Live;
use crate::memory::{Layout, Memory, Recorder};
use crate::plan::{Test, emulator_banner, emulator_of_pcs};
use crate::recording::{self, Manifest};
use crate::results::{Attempt, Measure, Status, StepResult};
use crate::run::{Limits, Observation, OnStage, Origin, Session, Stage, StepRun, drive};
use crate::verdict::{Verdict, judge};

/// What an attempt came to.
pub struct Attempted {
    /// The summary.
    pub attempt: Attempt,
    /// The verdict; absent when no machine was started.
    pub verdict: Option<Verdict>,
    /// The steps.
    pub steps: Vec<StepResult>,
    /// Numbers that the test reported.
    pub measures: BTreeMap<String, Measure>,
    /// What compilers said of a module that does not build.
    pub build_log: String,
}

/// The files of an attempt, by their names in its directory.
pub const FILES: [&str; 4] = ["console.log", "scenario.yaml", "snapshot", "recording"];

/// Where attempts are made.
pub struct Bench<'a> {
    /// Guests to copy.
    pub templates: &'a Templates<'a>,
    /// Room for guests.
    pub slots: &'a Arc<Slots>,
    /// What all tests share.
    pub options: &'a Options,
    /// The worker that makes the attempts, counted from 0.
    pub worker: u32,
}

/// Runs `test` once, in `dir`; nothing if it is not to begin any more when there is room for its guest.
pub fn attempt(
    test: &Test,
    bench: &Bench,
    dir: &Path,
    may_begin: impl Fn() -> bool,
    on_stage: OnStage,
) -> Option<Attempted> {
    let options = bench.options;
    on_stage(Stage::Preparing);
    let ready = Ready::make(test, bench.templates, options, dir);
    let slot = bench.slots.take(&test.loaded.scenario.machine);
    if !may_begin() {
        return None;
    }
    let (started, before, start) = (options.clock.elapsed(), options.watch.mark(), Instant::now());
    let observed = ready.and_then(|ready| {
        observe(test, ready, options, dir, &|stage| {
            // A copy does nothing at its end but wait whether its kernel has more to say.
            if matches!(stage, Stage::Settling) {
                slot.step_aside();
            }
            on_stage(stage);
        })
    });
    let mut attempted = looked_at(test, observed, options, dir, start);
    attempted.attempt.started_ms = milliseconds(started);
    attempted.attempt.worker = bench.worker;
    honest(&mut attempted.attempt, options.watch.since(&before));
    Some(attempted)
}

fn looked_at(
    test: &Test,
    observed: Result<Observed, NotBooted>,
    options: &Options,
    dir: &Path,
    start: Instant,
) -> Attempted {
    match observed {
        Ok(Observed { forked, mut observation, modules, recorded }) => {
            let mut judged = judged(test, &observation, start);
            judged.attempt.forked = forked;
            if options.from.is_some() && !forked && is_copied(test) {
                let lacks = "it booted: the guest of `--from` does not hold all that it needs";
                judged.attempt.warnings.push(lacks.to_owned());
            }
            if let (Some(verdict), false) = (&mut judged.verdict, judged.attempt.status.is_good()) {
                places::add(test, &modules, &observation.console.reports, &mut verdict.reports);
            }
            look_back(&mut judged, &mut observation.memory, options, dir);
            if let Some(about) = recorded {
                keep_recording(&mut judged.attempt, about, options, dir);
            }
            judged
        }
        Err(reason) => {
            let mut failed = failed(reason.cause);
            failed.build_log = reason.build_log;
            failed.attempt.duration_ms = milliseconds(start.elapsed());
            failed
        }
    }
}

/// An attempt that came to nothing because of the host or the harness.
pub fn failed(cause: String) -> Attempted {
    Attempted {
        attempt: summary(Status::Error, Some(cause), Instant::now()),
        verdict: None,
        steps: Vec::new(),
        measures: BTreeMap::new(),
        build_log: String::new(),
    }
}

/// What a guest did.
struct Observed {
    /// Whether it was a copy of a booted one.
    forked: bool,
    observation: Observation,
    /// Files of the modules that it could load.
    modules: Vec<PathBuf>,
    /// What there is to tell of its recording, if it was recorded.
    recorded: Option<Manifest>,
}

fn observe(
    test: &Test,
    ready: Ready,
    options: &Options,
    dir: &Path,
    on_stage: OnStage,
) -> Result<Observed, NotBooted> {
    let (Prepared { scenario, spec, seed }, config, console, started) =
        ready.start(test, options)?;
    let (machine, events) = started.running;
    let mut recorded = options.record.then(|| about(test, &config));
    let layout = Layout::of(&scenario.machine);
    let recorder = Recorder::new(dir.to_owned(), config.cpus, config.cmdline, options.keep.clone())
        .with_layout(layout);
    let _live = Live::announce(dir, &*machine, layout);
    let mut limits = Limits::of(&scenario, options.scale(&scenario.machine));
    let debugger = options.debug.as_ref().map(|debug| debug.of_guest(dir, symbols(test)));
    if debugger.is_some() {
        limits.lift();
    }
    let session =
        Session::new(machine, events, console, limits, started.at, recorder).debugged_by(debugger);
    let modules = spec.modules.into_iter().flat_map(|module| module.files).collect();
    let forked = matches!(started.origin, Origin::Copy(_));
    let observation = drive(&scenario, seed, started.origin, session, on_stage);
    if let Some(about) = &mut recorded {
        about.duration_ms = milliseconds(started.at.elapsed());
    }
    Ok(Observed { forked, observation, modules, recorded })
}

/// What a recording of `test` on `config` says of itself, but for its files and how long it is.
fn about(test: &Test, config: &Config) -> Manifest {
    Manifest {
        format: Manifest::FORMAT,
        test: test.id.clone(),
        qemu: emulator_of_pcs().map(|program| emulator_banner(&program)).unwrap_or_default(),
        cmdline: config.cmdline.clone(),
        memory: config.memory,
        release: test.kernel.release.clone(),
        symbols: symbols(test).to_owned(),
        duration_ms: 0,
        files: BTreeMap::new(),
    }
}

/// Keeps the recording of a test that failed, or of all of them where everything is to be kept.
fn keep_recording(attempt: &mut Attempt, about: Manifest, options: &Options, dir: &Path) {
    let kept = if attempt.status.is_good() && !options.keep.is_unlimited() {
        recording::forget(dir)
    } else {
        recording::keep(dir, about)
    };
    attempt.warnings.extend(kept.err().map(|error| format!("no recording is kept: {error}")));
}

/// The file that tells a debugger most.
fn symbols(test: &Test) -> &Path {
    let kernel = &test.kernel;
    kernel.symbols.as_ref().or(kernel.vmlinux.as_ref()).unwrap_or(&kernel.image)
}

/// Keeps of the guest's memory what tells why the test failed, and says in words what is in it.
fn look_back(judged: &mut Attempted, memory: &mut Memory, options: &Options, dir: &Path) {
    judged.attempt.warnings.append(&mut memory.problems);
    let failed = !judged.attempt.status.is_good();
    if !options.keep.is_unlimited() {
        if !failed && memory.crash.is_some() {
            options.keep.give_back();
        }
        memory.tidy(dir, failed);
    }
    if let (Some(verdict), Some(snapshot), true) = (&mut judged.verdict, &memory.crash, failed) {
        let described = describe(snapshot);
        if let (Some(cause), Some(deadlock)) = (&mut judged.attempt.cause, described.deadlock) {
            cause.push_str(&format!("; deadlock: {deadlock}"));
        }
        verdict.guest = described.lines;
    }
}

fn judged(test: &Test, observation: &Observation, start: Instant) -> Attempted {
    let verdict = judge(&test.loaded.scenario, observation, Utc::now().date_naive());
    let boot = observation.boot.as_ref();
    let attempt = Attempt {
        boot_ms: boot.map(|boot| milliseconds(boot.after)),
        warnings: boot
            .map(|boot| boot.warnings.clone())
            .into_iter()
            .flatten()
            .chain(observation.lost.as_ref().map(ToString::to_string))
            .collect(),
        ..summary(verdict.status, verdict.cause.clone(), start)
    };
    Attempted {
        attempt,
        steps: observation.steps.iter().map(step_result).collect(),
        measures: measures(observation),
        verdict: Some(verdict),
        build_log: String::new(),
    }
}

fn summary(status: Status, cause: Option<String>, start: Instant) -> Attempt {
    let duration_ms = milliseconds(start.elapsed());
    Attempt {
        status,
        cause,
        duration_ms,
        forked: false,
        boot_ms: None,
        started_ms: 0,
        worker: 0,
        host: None,
        warnings: Vec::new(),
    }
}

/// Whole milliseconds of a duration.
pub fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn step_result(step: &StepRun) -> StepResult {
    StepResult {
        id: step.id.clone(),
        kind: step.kind.to_owned(),
        status: step.status,
        start_ms: milliseconds(step.start),
        duration_ms: milliseconds(step.duration),
        exit: step.ended.as_ref().and_then(|ended| ended.code),
        signal: step.ended.as_ref().and_then(|ended| ended.signal),
        message: step.message.clone(),
        stdout: step.stdout.text(),
        stderr: step.stderr.text(),
    }
}
