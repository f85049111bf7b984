//! The canary: silence proves something only where a report would have been seen.
//!
//! Where tests passed on a kernel that reported nothing at all, a harmless report is planted once, and must come out as
//! a report. What was proved is kept in the cache, for this harness, kernel and kind of machine.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Debug;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::{Options, RunDir, Until, run_all};
use crate::output::Terminal;
use crate::plan::Test;
use crate::results::{Status, StepStatus, TestResult};
use crate::run::interrupted;
use crate::scenario::model::Machine;
use crate::scenario::{Loaded, built_in};

const SCENARIO: &str = include_str!("../../scenarios/smoke/canary.yaml");

/// Turns passes into errors where a planted report is not seen on the same kernel and kind of machine.
pub fn doubt(tests: &[Test], results: &mut [TestResult], options: &Options, dir: &RunDir) {
    if interrupted() {
        return;
    }
    let stamps: Vec<PathBuf> = tests.iter().map(|test| stamp(test, options)).collect();
    let mut proved: Vec<&PathBuf> = Vec::new();
    for (index, stamp) in stamps.iter().enumerate() {
        if results[index].status != Status::Pass || proved.contains(&stamp) {
            continue;
        }
        let group: Vec<usize> = (0..tests.len()).filter(|&other| stamps[other] == *stamp).collect();
        let seen = group.iter().any(|&member| !results[member].reports.is_empty());
        match seen || stamp.exists() || is_seen(&tests[index], options, dir) {
            true => keep(stamp),
            false => group.iter().for_each(|&member| take_back(&mut results[member])),
        }
        proved.push(stamp);
    }
}

/// Whether the planted report is seen. Where the guest did not get so far that it was planted, nothing is said against
/// the kernel: the tests themselves passed.
fn is_seen(test: &Test, options: &Options, dir: &RunDir) -> bool {
    let Some(canary) = canary(test) else { return true };
    let (_, results) =
        run_all(&[canary], Until::default(), options, dir, &Terminal::new(true, true), &|_, _| {});
    let Some(result) = results.first() else { return true };
    let planted =
        result.steps.iter().any(|step| step.id == "killed" && step.status == StepStatus::Done);
    !planted || result.status == Status::Pass
}

fn canary(test: &Test) -> Option<Test> {
    let mut loaded: Loaded = built_in("canary", SCENARIO)?;
    let machine = test.loaded.scenario.machine.clone();
    // Disks prove nothing here, and their paths are relative to another file.
    loaded.scenario.machine = Machine { disks: Vec::new(), ..machine };
    let id = format!("canary ({})", test.kernel.release);
    Some(Test { id, loaded: Arc::new(loaded), kernel: Arc::clone(&test.kernel), repetition: 1 })
}

fn take_back(result: &mut TestResult) {
    if result.status == Status::Pass {
        result.status = Status::Error;
        result.cause = Some(
            "the canary failed: a report that was planted on this kernel was not seen, so its silence proves nothing"
                .to_owned(),
        );
    }
}

/// The file that says that the chain was proved. Its name is of the harness, the kernel, and what the console depends on.
fn stamp(test: &Test, options: &Options) -> PathBuf {
    let machine = &test.loaded.scenario.machine;
    let mut hasher = DefaultHasher::new();
    std::env::current_exe().ok().as_deref().map(age).hash(&mut hasher);
    (&test.kernel.image, age(&test.kernel.image)).hash(&mut hasher);
    (text(&machine.arch), &machine.board, &machine.cmdline).hash(&mut hasher);
    text(&options.engine.backend()).hash(&mut hasher);
    options.cache.join("canary").join(format!("{:016x}", hasher.finish()))
}

fn text(value: &impl Debug) -> String {
    format!("{value:?}")
}

fn age(path: &Path) -> Option<(u64, Option<SystemTime>)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}

/// A stamp that cannot be written costs a boot in the next run.
fn keep(stamp: &Path) {
    let parent = stamp.parent().map(fs::create_dir_all);
    if !stamp.exists() && parent.is_some_and(|made| made.is_ok()) {
        let _ = fs::write(stamp, "");
    }
}
