//! The top level: defaults, and everything that has a place of its own.

use std::path::{Path, PathBuf};

use super::expectation::expectations;
use super::forms::check_scenario_forms;
use super::machine::machine;
use super::matrix::cells;
use super::names::check_names;
use super::step::steps;
use crate::scenario::model::{
    AllowList, Allowance, Base, Cell, GuestFile, Machine, Module, Perturb, Requires, Scenario,
    Timeouts, Xfail,
};
use crate::scenario::problem::Problems;
use crate::scenario::source::Place;
use crate::scenario::units::Time;
use crate::scenario::written::{
    AllowKeys, FileKeys, Given, ModuleKeys, PerturbKeys, Placed, RequiresKeys, ScenarioKeys,
    StringOr, Text, TimeoutKeys, XfailKeys,
};

/// The scenario that `keys` state, once for each cell of its matrix; what is wrong with them goes to
/// `problems`, and what the result has in its place then means nothing.
pub fn resolve(mut keys: ScenarioKeys, problems: &mut Problems) -> Vec<(Cell, Scenario)> {
    check_from(&keys, problems);
    let matrix = keys.matrix.0.take();
    let scenario = resolve_one(keys, problems);
    let mut cells = match matrix {
        Some(matrix) => cells(matrix, &scenario, problems),
        None => vec![(Cell::default(), scenario)],
    };
    // In a cell with one CPU there is nothing that it could be delayed against.
    for (_, scenario) in cells.iter_mut().filter(|(_, scenario)| scenario.machine.cpus < 2) {
        scenario.perturb = None;
    }
    cells
}

/// What a base brings along is not stated again: whichever of the two counted, the other would mislead.
fn check_from(keys: &ScenarioKeys, problems: &mut Problems) {
    let Some(from) = &keys.from.0 else { return };
    let stated = [
        ("kernel", keys.kernel.0.is_some()),
        ("machine", keys.machine.0.is_some()),
        ("modules", keys.modules.0.is_some()),
        ("matrix", keys.matrix.0.is_some()),
        ("fresh_boot", keys.fresh_boot.0.is_some()),
    ];
    for (key, _) in stated.iter().filter(|(_, is_stated)| *is_stated) {
        let message =
            format!("a scenario that goes on `from` another has no `{key}`: it has that one's");
        problems.add_with_help(from.place, message, "steps can `load` further modules");
    }
}

fn resolve_one(keys: ScenarioKeys, problems: &mut Problems) -> Scenario {
    if keys.steps.0.is_none() && keys.expect.0.is_none() {
        let start = Place { line: 1, column: 1, length: 0 };
        let help = "a scenario has `steps`, or at least an `expect` on the boot";
        problems.add_with_help(start, "the scenario tests nothing", help);
    }
    let (allow, allow_lists) = known_reports(keys.allow, problems);
    let mut scenario = Scenario {
        name: keys.name.0,
        description: keys.description.0,
        tags: keys.tags.0.iter().flatten().filter_map(|tag| tag.read(problems)).collect(),
        requires: keys.requires.0.map_or_else(Requires::default, |keys| requires(&keys, problems)),
        kernel: keys.kernel.0,
        from: keys.from.0.map(|from| Base {
            scenario: from.value.scenario.into(),
            snapshot: from.value.snapshot,
            place: from.place,
        }),
        base_steps: 0,
        machine: machine(&keys.machine.0.unwrap_or_default(), problems),
        modules: keys.modules.0.into_iter().flatten().map(module).collect(),
        files: keys.files.0.into_iter().flatten().filter_map(|keys| file(keys, problems)).collect(),
        steps: steps(keys.steps.0.unwrap_or_default(), problems),
        expect: expectations(keys.expect.0.unwrap_or_default(), problems),
        allow,
        allow_lists,
        timeout: timeouts(&keys.timeout.0.unwrap_or_default(), problems),
        retries: keys.retries.0.unwrap_or(0),
        repeat: keys.repeat.0.map_or(1, |repeat| at_least_once(&repeat, problems)),
        fresh_boot: keys.fresh_boot.0.unwrap_or(false),
        seed: keys.seed.0,
        perturb: None,
        clock: keys.clock.read(problems).unwrap_or_default(),
        xfail: keys.xfail.0.map(xfail),
    };
    scenario.perturb = keys.perturb.0.map(|keys| perturb(&keys, &scenario.machine, problems));
    check_scenario_forms(&scenario.expect, problems);
    check_names(&scenario, problems);
    scenario
}

fn requires(keys: &RequiresKeys, problems: &mut Problems) -> Requires {
    Requires {
        config: keys.config.0.iter().flatten().filter_map(|need| need.read(problems)).collect(),
        arch: keys.arch.0.clone().unwrap_or_default(),
        board: keys.board.0.clone().unwrap_or_default(),
        kernel: keys.kernel.read(problems),
        cpus: keys.cpus.0,
        memory: keys.memory.read(problems),
    }
}

fn module(written: StringOr<ModuleKeys>) -> Module {
    let (written, params, unload) = match written {
        StringOr::Short(name) => (name, Default::default(), true),
        StringOr::Full(keys) => (keys.name, keys.params.words(), keys.unload.0.unwrap_or(true)),
    };
    let path = written.contains('/').then(|| PathBuf::from(&written));
    let stem = path.as_deref().and_then(Path::file_stem).map(|stem| stem.to_string_lossy());
    let name = stem.map_or_else(|| written.clone(), |stem| stem.replace('-', "_"));
    Module { name, path, params, unload, suite: false }
}

fn file(written: Placed<StringOr<FileKeys>>, problems: &mut Problems) -> Option<GuestFile> {
    let place = written.place;
    match written.value {
        StringOr::Short(path) => program_file(path, place, problems),
        StringOr::Full(keys) => {
            if !keys.to.starts_with('/') {
                problems.add(place, format!("`to: {}` is not an absolute path", keys.to));
            }
            let mode = keys.mode.read(problems);
            match (keys.from.0, keys.kernel.0) {
                (Some(from), None) => {
                    Some(GuestFile::File { from: from.into(), to: keys.to, mode })
                }
                (None, Some(kernel)) => Some(GuestFile::Kernel { kernel, to: keys.to }),
                _ => {
                    problems.add(place, "what to put there: either `from` or `kernel`");
                    None
                }
            }
        }
    }
}

fn program_file(path: String, place: Place, problems: &mut Problems) -> Option<GuestFile> {
    if path.contains('/') && !path.starts_with('/') {
        let message = format!("`{path}` is neither the name of a program nor an absolute path");
        let help = format!("say where it goes in the guest: {{from: {path}, to: /...}}");
        problems.add_with_help(place, message, help);
        return None;
    }
    Some(GuestFile::Program(path))
}

/// The entries of `allow`, and the files that it names.
fn known_reports(
    written: Given<Vec<Placed<StringOr<AllowKeys>>>>,
    problems: &mut Problems,
) -> (Vec<Allowance>, Vec<AllowList>) {
    let (mut entries, mut lists) = (Vec::new(), Vec::new());
    for Placed { value, place } in written.0.into_iter().flatten() {
        match value {
            StringOr::Short(path) => lists.push(AllowList { path: path.into(), place }),
            StringOr::Full(keys) => entries.extend(allowance(keys, problems)),
        }
    }
    (entries, lists)
}

/// An entry of `allow`, in a scenario or in a file of its own.
pub fn allowance(keys: AllowKeys, problems: &mut Problems) -> Option<Allowance> {
    let reason = keys.reason.read(problems)?;
    if reason.trim().is_empty() {
        problems.add(keys.reason.place(), "every allowed report needs a reason");
    }
    Some(Allowance {
        report: keys.report.read(problems)?.0,
        function: keys.function.0,
        reason,
        link: keys.link.0,
        until: keys.until.read(problems),
        file: None,
    })
}

fn timeouts(keys: &TimeoutKeys, problems: &mut Problems) -> Timeouts {
    let default = Timeouts::default();
    Timeouts {
        boot: timeout(&keys.boot, problems).unwrap_or(default.boot),
        step: timeout(&keys.step, problems).unwrap_or(default.step),
        quiet: timeout(&keys.quiet, problems).unwrap_or(default.quiet),
        total: timeout(&keys.total, problems).unwrap_or(default.total),
    }
}

/// A timeout: a time in which something can happen.
pub(super) fn timeout(written: &Given<Text<Time>>, problems: &mut Problems) -> Option<Time> {
    let time = written.read(problems)?;
    if let (true, Some(text)) = (time.0.is_zero(), &written.0) {
        problems.add(text.place(), "a timeout of nothing leaves no time for anything");
    }
    Some(time)
}

fn perturb(written: &Placed<PerturbKeys>, machine: &Machine, problems: &mut Problems) -> Perturb {
    if machine.cpus < 2 {
        problems.add(
            written.place,
            "a machine with one CPU has nothing that it could be delayed against",
        );
    }
    let (keys, default) = (&written.value, Perturb::default());
    Perturb {
        every: timeout(&keys.every, problems).unwrap_or(default.every),
        hold: timeout(&keys.hold, problems).unwrap_or(default.hold),
    }
}

fn at_least_once(repeat: &Placed<u32>, problems: &mut Problems) -> u32 {
    if repeat.value == 0 {
        problems.add(repeat.place, "a scenario that runs 0 times proves nothing: at least 1");
    }
    repeat.value
}

fn xfail(written: StringOr<XfailKeys>) -> Xfail {
    match written {
        StringOr::Short(reason) => Xfail { reason, strict: true },
        StringOr::Full(keys) => {
            Xfail { reason: keys.reason, strict: keys.strict.0.unwrap_or(true) }
        }
    }
}
