//! One attempt of a test: image, machine, steps, verdict, and the files that tell of it.

use std::fmt::Display;
use std::path::Path;
use std::time::Instant;

use chrono::Utc;
use vmm::Config;

use super::directory::write;
use super::runner::Options;
use crate::plan::{Test, build_image, command_line};
use crate::results::{Attempt, Status, StepResult};
use crate::run::{Console, Limits, Observation, OnPhase, Session, StepRun, drive};
use crate::verdict::{Verdict, judge};

/// What an attempt came to.
pub struct Attempted {
    /// The summary.
    pub attempt: Attempt,
    /// The verdict; absent when no machine was started.
    pub verdict: Option<Verdict>,
    /// The steps.
    pub steps: Vec<StepResult>,
}

/// The files of an attempt, by their names in its directory.
pub const FILES: [&str; 2] = ["console.log", "scenario.yaml"];

/// Runs `test` once, in `dir`.
pub fn attempt(test: &Test, options: &Options, dir: &Path, on_phase: OnPhase) -> Attempted {
    let start = Instant::now();
    match observe(test, options, dir, on_phase) {
        Ok(observation) => judged(test, &observation, start),
        Err(cause) => {
            let mut failed = failed(cause);
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
    }
}

fn observe(
    test: &Test,
    options: &Options,
    dir: &Path,
    on_phase: OnPhase,
) -> Result<Observation, String> {
    let scenario = &test.loaded.scenario;
    let resolved = serde_saphyr::to_string(scenario).map_err(words)?;
    write(&dir.join("scenario.yaml"), resolved.as_bytes()).map_err(words)?;
    on_phase("packing");
    let base = test.loaded.path.parent().unwrap_or(Path::new("."));
    let images = options.cache.join("images");
    let image = build_image(scenario, base, &test.kernel, &images, dir).map_err(words)?;
    let console_path = dir.join("console.log");
    let console = Console::create(&console_path)
        .map_err(|error| format!("cannot write {}: {error}", console_path.display()))?;
    let kernel = test.kernel.vmlinux.as_ref().unwrap_or(&test.kernel.image);
    let config = Config {
        kernel: kernel.clone(),
        initramfs: image.initramfs,
        cmdline: command_line(scenario, options.engine.backend()),
        cpus: scenario.machine.cpus,
        memory: scenario.machine.memory.0,
        dir: dir.to_owned(),
    };
    let started = Instant::now();
    let (machine, events) = options.engine.boot(&config).map_err(words)?;
    let limits = Limits::new(&scenario.timeout, options.timeout_scale);
    let session = Session::new(machine, events, console, limits, started);
    let seed = scenario.seed.unwrap_or(options.seed);
    Ok(drive(scenario, seed, session, on_phase))
}

fn words(error: impl Display) -> String {
    error.to_string()
}

fn judged(test: &Test, observation: &Observation, start: Instant) -> Attempted {
    let verdict = judge(&test.loaded.scenario, observation, Utc::now().date_naive());
    let boot = observation.boot.as_ref();
    let attempt = Attempt {
        boot_ms: boot.map(|boot| milliseconds(boot.after)),
        warnings: boot.map(|boot| boot.warnings.clone()).unwrap_or_default(),
        ..summary(verdict.status, verdict.cause.clone(), start)
    };
    Attempted {
        attempt,
        steps: observation.steps.iter().map(step_result).collect(),
        verdict: Some(verdict),
    }
}

fn summary(status: Status, cause: Option<String>, start: Instant) -> Attempt {
    let duration_ms = milliseconds(start.elapsed());
    Attempt { status, cause, duration_ms, boot_ms: None, warnings: Vec::new() }
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
