//! The top level: defaults, and everything that has a place of its own.

use super::expectation::expectations;
use super::forms::check_scenario_forms;
use super::names::check_names;
use super::step::steps;
use crate::scenario::model::{
    Allowance, GuestFile, Machine, Module, Requires, Scenario, Timeouts, Xfail,
};
use crate::scenario::problem::Problems;
use crate::scenario::source::Place;
use crate::scenario::units::{Size, Time};
use crate::scenario::written::{
    AllowKeys, FileKeys, Given, MachineKeys, ModuleKeys, Placed, RequiresKeys, ScenarioKeys,
    StringOr, Text, TimeoutKeys, XfailKeys,
};

/// CPUs and memory of a machine that states none.
const DEFAULT_CPUS: u32 = 2;
const DEFAULT_MEMORY: Size = Size::mebibytes(512);

/// More CPUs than any test needs are a mistake.
const MOST_CPUS: u32 = 64;

/// A kernel and its initramfs need about this much to boot.
const LEAST_MEMORY: Size = Size::mebibytes(32);

/// The scenario that `keys` state; what is wrong with them goes to `problems`, and what the
/// result has in its place then means nothing.
pub fn resolve(keys: ScenarioKeys, problems: &mut Problems) -> Scenario {
    if keys.steps.0.is_none() && keys.expect.0.is_none() {
        let start = Place { line: 1, column: 1, length: 0 };
        let help = "a scenario has `steps`, or at least an `expect` on the boot";
        problems.add_with_help(start, "the scenario tests nothing", help);
    }
    let scenario = Scenario {
        name: keys.name.0,
        description: keys.description.0,
        tags: keys.tags.0.iter().flatten().filter_map(|tag| tag.read(problems)).collect(),
        requires: keys.requires.0.map_or_else(Requires::default, |keys| requires(&keys, problems)),
        kernel: keys.kernel.0,
        machine: machine(keys.machine.0.unwrap_or_default(), problems),
        modules: keys.modules.0.into_iter().flatten().map(module).collect(),
        files: keys.files.0.into_iter().flatten().filter_map(|keys| file(keys, problems)).collect(),
        steps: steps(keys.steps.0.unwrap_or_default(), problems),
        expect: expectations(keys.expect.0.unwrap_or_default(), problems),
        allow: (keys.allow.0.into_iter().flatten())
            .filter_map(|keys| allowance(keys, problems))
            .collect(),
        timeout: timeouts(&keys.timeout.0.unwrap_or_default(), problems),
        retries: keys.retries.0.unwrap_or(0),
        repeat: keys.repeat.0.map_or(1, |repeat| at_least_once(&repeat, problems)),
        seed: keys.seed.0,
        xfail: keys.xfail.0.map(xfail),
    };
    check_scenario_forms(&scenario.expect, problems);
    check_names(&scenario, problems);
    scenario
}

fn requires(keys: &RequiresKeys, problems: &mut Problems) -> Requires {
    Requires {
        config: keys.config.0.iter().flatten().filter_map(|need| need.read(problems)).collect(),
        arch: keys.arch.0.clone().unwrap_or_default(),
        kernel: keys.kernel.read(problems),
        cpus: keys.cpus.0,
        memory: keys.memory.read(problems),
    }
}

fn machine(keys: MachineKeys, problems: &mut Problems) -> Machine {
    Machine {
        arch: keys.arch.0.unwrap_or_default(),
        board: keys.board.0,
        cpus: keys.cpus.0.map_or(DEFAULT_CPUS, |cpus| cpu_count(&cpus, problems)),
        memory: keys.memory.0.map_or(DEFAULT_MEMORY, |size| memory(&size, problems)),
        backend: keys.backend.0.unwrap_or_default(),
        cmdline: keys.cmdline.0.map_or_else(String::new, |words| cmdline(&words, problems)),
    }
}

fn cpu_count(cpus: &Placed<u32>, problems: &mut Problems) -> u32 {
    if !(1..=MOST_CPUS).contains(&cpus.value) {
        let message = format!("a machine has 1 to {MOST_CPUS} CPUs, not {}", cpus.value);
        problems.add(cpus.place, message);
    }
    cpus.value
}

fn memory(written: &Text<Size>, problems: &mut Problems) -> Size {
    let size = written.read(problems).unwrap_or(DEFAULT_MEMORY);
    if size < LEAST_MEMORY {
        let message = format!("no kernel boots in {size}: give at least {LEAST_MEMORY}");
        problems.add(written.place(), message);
    }
    size
}

fn cmdline(words: &Text<String>, problems: &mut Problems) -> String {
    if words.as_str().chars().any(char::is_control) {
        problems.add(words.place(), "a kernel command line is one line of plain text");
    }
    words.as_str().to_owned()
}

fn module(written: StringOr<ModuleKeys>) -> Module {
    match written {
        StringOr::Short(name) => Module { name, params: Default::default() },
        StringOr::Full(keys) => Module { name: keys.name, params: keys.params.words() },
    }
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
            Some(GuestFile::File { from: keys.from.into(), to: keys.to, mode })
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

fn allowance(keys: AllowKeys, problems: &mut Problems) -> Option<Allowance> {
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
