//! The top level: defaults, and everything that has a place of its own.

use super::expectation::expectations;
use super::references::check_references;
use super::step::steps;
use crate::scenario::model::{
    Allowance, GuestFile, Machine, Module, Requires, Scenario, Timeouts, Xfail,
};
use crate::scenario::problem::Problems;
use crate::scenario::units::{Size, Time};
use crate::scenario::written::{
    AllowKeys, FileKeys, MachineKeys, ModuleKeys, Placed, RequiresKeys, ScenarioKeys, StringOr,
    Text, TimeoutKeys, XfailKeys,
};

/// CPUs and memory of a machine that states none.
const DEFAULT_CPUS: u32 = 2;
const DEFAULT_MEMORY: Size = Size::mebibytes(512);

/// More CPUs than any host of a test has; a mistake all the same.
const MOST_CPUS: u32 = 64;

/// A kernel and its initramfs need about this much to boot.
const LEAST_MEMORY: Size = Size::mebibytes(32);

/// The scenario that `keys` state; what is wrong with them goes to `problems`, and what the
/// result has in its place then means nothing.
pub fn resolve(keys: ScenarioKeys, problems: &mut Problems) -> Scenario {
    let steps = steps(keys.steps.unwrap_or_default(), problems);
    check_references(&steps, problems);
    Scenario {
        name: keys.name,
        description: keys.description,
        tags: keys.tags.iter().flatten().filter_map(|tag| tag.read(problems)).collect(),
        requires: keys.requires.map_or_else(Requires::default, |keys| requires(&keys, problems)),
        kernel: keys.kernel,
        machine: machine(keys.machine.unwrap_or_default(), problems),
        modules: keys.modules.into_iter().flatten().map(module).collect(),
        files: keys
            .files
            .into_iter()
            .flatten()
            .filter_map(|file| self::file(file, problems))
            .collect(),
        steps,
        expect: expectations(keys.expect.unwrap_or_default(), problems),
        allow: keys
            .allow
            .into_iter()
            .flatten()
            .filter_map(|keys| allowance(keys, problems))
            .collect(),
        timeout: timeouts(&keys.timeout.unwrap_or_default(), problems),
        retries: keys.retries.unwrap_or(0),
        repeat: keys.repeat.map_or(1, |repeat| at_least_once(&repeat, problems)),
        seed: keys.seed,
        xfail: keys.xfail.map(xfail),
    }
}

fn requires(keys: &RequiresKeys, problems: &mut Problems) -> Requires {
    Requires {
        config: keys.config.iter().flatten().filter_map(|need| need.read(problems)).collect(),
        arch: keys.arch.clone().unwrap_or_default(),
        kernel: keys.kernel.as_ref().and_then(|need| need.read(problems)),
        cpus: keys.cpus,
        memory: keys.memory.as_ref().and_then(|size| size.read(problems)),
    }
}

fn machine(keys: MachineKeys, problems: &mut Problems) -> Machine {
    Machine {
        arch: keys.arch.unwrap_or_default(),
        board: keys.board,
        cpus: keys.cpus.map_or(DEFAULT_CPUS, |cpus| cpu_count(&cpus, problems)),
        memory: keys.memory.map_or(DEFAULT_MEMORY, |size| memory(&size, problems)),
        backend: keys.backend.unwrap_or_default(),
        cmdline: keys.cmdline.map_or_else(String::new, |words| cmdline(&words, problems)),
    }
}

fn cpu_count(cpus: &Placed<u32>, problems: &mut Problems) -> u32 {
    if !(1..=MOST_CPUS).contains(&cpus.value) {
        problems
            .add(cpus.place, format!("a machine has 1 to {MOST_CPUS} CPUs, not {}", cpus.value));
    }
    cpus.value
}

fn memory(written: &Text<Size>, problems: &mut Problems) -> Size {
    let size = written.read(problems).unwrap_or(DEFAULT_MEMORY);
    if size < LEAST_MEMORY {
        problems.add(
            written.place(),
            format!("no kernel boots in {size}: give at least {LEAST_MEMORY}"),
        );
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
        StringOr::Full(keys) => Module { name: keys.name, params: keys.params.unwrap_or_default() },
    }
}

fn file(written: Placed<StringOr<FileKeys>>, problems: &mut Problems) -> Option<GuestFile> {
    let place = written.place;
    match written.value {
        StringOr::Short(program) if program.contains('/') && !program.starts_with('/') => {
            problems.add_with_help(
                place,
                format!("`{program}` is neither the name of a program nor an absolute path"),
                format!(
                    "a file of your own needs a place in the guest: {{from: {program}, to: /...}}"
                ),
            );
            None
        }
        StringOr::Short(program) => Some(GuestFile::Program(program)),
        StringOr::Full(keys) => {
            if !keys.to.starts_with('/') {
                problems.add(place, format!("`to: {}` is not an absolute path", keys.to));
            }
            let mode = keys.mode.as_ref().and_then(|mode| mode.read(problems));
            Some(GuestFile::File { from: keys.from.into(), to: keys.to, mode })
        }
    }
}

fn allowance(keys: AllowKeys, problems: &mut Problems) -> Option<Allowance> {
    let reason = keys.reason.read(problems)?;
    if reason.trim().is_empty() {
        problems.add(keys.reason.place(), "every allowed report needs a reason");
    }
    Some(Allowance {
        report: keys.report.read(problems)?,
        function: keys.function,
        reason,
        link: keys.link,
        until: keys.until.as_ref().and_then(|day| day.read(problems)),
    })
}

fn timeouts(keys: &TimeoutKeys, problems: &mut Problems) -> Timeouts {
    let default = Timeouts::default();
    let mut phase = |written: &Option<Text<Time>>, default| {
        written.as_ref().and_then(|time| positive(time, problems)).unwrap_or(default)
    };
    Timeouts {
        boot: phase(&keys.boot, default.boot),
        step: phase(&keys.step, default.step),
        quiet: phase(&keys.quiet, default.quiet),
        total: phase(&keys.total, default.total),
    }
}

/// A timeout: a time in which something can happen.
pub(super) fn positive(written: &Text<Time>, problems: &mut Problems) -> Option<Time> {
    let time = written.read(problems)?;
    if time.0.is_zero() {
        problems.add(written.place(), "a timeout of nothing leaves no time for anything");
    }
    Some(time)
}

fn at_least_once(repeat: &Placed<u32>, problems: &mut Problems) -> u32 {
    if repeat.value == 0 {
        problems.add(
            repeat.place,
            "a scenario that runs 0 times proves nothing: `repeat` is at least 1",
        );
    }
    repeat.value
}

fn xfail(written: StringOr<XfailKeys>) -> Xfail {
    match written {
        StringOr::Short(reason) => Xfail { reason, strict: true },
        StringOr::Full(keys) => Xfail { reason: keys.reason, strict: keys.strict.unwrap_or(true) },
    }
}
