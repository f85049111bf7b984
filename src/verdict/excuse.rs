//! Which kernel reports a scenario asked for, or allows. Any other one fails it.

use cel::{Context, Value};
use chrono::NaiveDate;
use klog::{Class, Fields, Report};

use super::detectors;
use crate::run::Seen;
use crate::scenario::model::{Allowance, Expectation, Form, ReportMatch, Scenario, Stopped};

/// A report and its excuse.
pub struct Judged<'a> {
    /// The report.
    pub seen: &'a Seen,
    /// Why it does not fail the scenario.
    pub excuse: Option<Excuse>,
}

/// Why a report does not fail a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Excuse {
    /// The scenario expects it.
    Expected,
    /// An `allow` entry, with its reason.
    Allowed(String),
    /// It tells something and is no problem by itself, or is part of another that is excused.
    Harmless,
}

/// Judges every report of a guest.
pub fn judge_all<'a>(
    scenario: &Scenario,
    reports: &'a [Seen],
    today: NaiveDate,
) -> Vec<Judged<'a>> {
    let mut judged: Vec<Judged> =
        reports.iter().map(|seen| Judged { seen, excuse: excuse(scenario, seen, today) }).collect();
    excuse_lost_detectors(&mut judged);
    excuse_last_faults_of_victims(&mut judged);
    judged
}

fn excuse(scenario: &Scenario, seen: &Seen, today: NaiveDate) -> Option<Excuse> {
    if seen.report.class == Class::Info {
        return Some(Excuse::Harmless);
    }
    // A detector that the kernel was told to leave off says so at boot; only who needs it must know.
    if let Some(detector) = detectors::lost(&seen.report)
        && !seen.report.is_problem()
        && !detectors::depends(scenario, detector)
    {
        return Some(Excuse::Harmless);
    }
    if is_expected(scenario, seen) {
        return Some(Excuse::Expected);
    }
    let allowed = scenario.allow.iter().find(|entry| allows(entry, &seen.report, today));
    allowed.map(|entry| Excuse::Allowed(entry.reason.clone()))
}

/// A report that led to a panic is two things, and both must be asked for: an oops that was not
/// asked for is no better when a panic was. Only an event, such as an OOM, is part of its panic.
fn is_expected(scenario: &Scenario, seen: &Seen) -> bool {
    let own = wanted(scenario, seen, |expectation| asks_for_kind(expectation, seen));
    if !seen.led_to_panic() {
        return own;
    }
    let part_of_panic = seen.report.class == Class::Event || seen.report.kind.is_within(PANIC);
    (own || part_of_panic)
        && wanted(scenario, seen, |expectation| asks_for_panic(expectation, seen))
}

/// Whether an expectation of the scenario, or of the step that was running, satisfies `asks`.
fn wanted(scenario: &Scenario, seen: &Seen, asks: impl Fn(&Expectation) -> bool) -> bool {
    let of_step = scenario
        .steps
        .iter()
        .filter(|step| seen.step.as_ref() == Some(&step.id))
        .flat_map(|step| &step.expect);
    scenario.expect.iter().chain(of_step).any(asks)
}

fn asks_for_kind(expectation: &Expectation, seen: &Seen) -> bool {
    match &expectation.form {
        Form::Report(wanted) => seen.report.kind.is_within(&wanted.kind) && matches(wanted, seen),
        Form::NoReports(strict) => !strict,
        _ => false,
    }
}

fn asks_for_panic(expectation: &Expectation, seen: &Seen) -> bool {
    match &expectation.form {
        Form::Report(wanted) => wanted.kind == PANIC && matches(wanted, seen),
        Form::NoReports(strict) => !strict,
        Form::Stopped(how) => *how == Stopped::Panic,
        _ => false,
    }
}

/// The kind of a panic.
const PANIC: &str = "panic";

/// Whether `seen` is one of the reports that `wanted` means. One that led to a panic is a panic too.
pub fn matches(wanted: &ReportMatch, seen: &Seen) -> bool {
    let report = &seen.report;
    let kind = report.kind.is_within(&wanted.kind) || (wanted.kind == PANIC && seen.led_to_panic());
    kind && wanted.function.as_ref().is_none_or(|pattern| {
        let function = report.function.as_deref().unwrap_or_default();
        pattern.0.find_iter(function).any(|found| found.len() == function.len())
    }) && wanted.condition.as_ref().is_none_or(|condition| {
        let mut context = Context::default();
        context.add_variable("report", report).is_ok()
            && condition.program.execute(&context) == Ok(Value::Bool(true))
    })
}

fn allows(entry: &Allowance, report: &Report, today: NaiveDate) -> bool {
    report.kind.is_within(&entry.report)
        && entry.until.is_none_or(|until| today <= until.0)
        && entry.function.as_ref().is_none_or(|name| report.function.as_ref() == Some(name))
}

/// A detector that switches itself off after a report that was expected has done its work; one
/// that is off for any other reason could have missed something.
fn excuse_lost_detectors(judged: &mut [Judged]) {
    for index in 0..judged.len() {
        let (before, rest) = judged.split_at_mut(index);
        let Some(lost) = rest.first_mut() else { return };
        let kind = lost.seen.report.kind.as_str();
        if lost.excuse.is_none()
            && let Some(detector) = kind.strip_prefix("detector-lost.")
            && before.iter().any(|earlier| {
                earlier.excuse.is_some() && earlier.seen.report.kind.is_within(detector)
            })
        {
            lost.excuse = Some(Excuse::Harmless);
        }
    }
}

/// A task that the OOM killer took gets no memory beyond the reserves, and says so when a last
/// page fault of its own finds these used up (`__alloc_pages_slowpath` in mm/page_alloc.c). That is
/// part of its kill. The failed allocation of any other task is not.
fn excuse_last_faults_of_victims(judged: &mut [Judged]) {
    let killed = judged.iter().filter(|kill| kill.excuse.is_some());
    let victims: Vec<u64> = killed.filter_map(|kill| victim(&kill.seen.report)).collect();
    for failure in judged.iter_mut().filter(|judged| judged.excuse.is_none()) {
        let report = &failure.seen.report;
        let task = report.task.as_ref().map(|task| u64::from(task.pid));
        if report.kind.is_within("page-allocation-failure")
            && task.is_some_and(|pid| victims.contains(&pid))
        {
            failure.excuse = Some(Excuse::Harmless);
        }
    }
}

/// The process that an OOM kill took.
fn victim(report: &Report) -> Option<u64> {
    match &report.fields {
        Fields::Oom(kill) => kill.victim.as_ref().map(|victim| victim.pid),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An OOM kill of process 93, excused or not, and a failed allocation of process `pid`.
    fn failure_beside_a_kill(kill: Option<Excuse>, pid: u32) -> Option<Excuse> {
        let log = format!(
            "[    5.100000] kh-hog invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0, oom_score_adj=0\n\
             [    5.100000] CPU: 0 UID: 0 PID: 93 Comm: kh-hog Not tainted 7.3.4 #1\n\
             [    5.100000] Call Trace:\n[    5.100000]  <TASK>\n[    5.100000]  dump_header+0x1/0x2\n[    5.100000]  </TASK>\n\
             [    5.100000] Mem-Info:\n[    5.100000] Out of memory: Killed process 93 (kh-hog) total-vm:1kB, anon-rss:1kB, \
             file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:0\n\
             [    5.200000] kh-hog: page allocation failure: order:0, mode:0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), \
             nodemask=(null),cpuset=/,mems_allowed=0\n\
             [    5.200000] CPU: 0 UID: 0 PID: {pid} Comm: kh-hog Not tainted 7.3.4 #1\n\
             [    5.200000] Call Trace:\n[    5.200000]  <TASK>\n[    5.200000]  warn_alloc+0x1/0x2\n\
             [    5.200000]  __handle_mm_fault+0x1/0x2\n[    5.200000]  </TASK>\n[    5.200000] Mem-Info:\n"
        );
        let reports = klog::reports(log.as_bytes());
        let seen: Vec<Seen> =
            reports.into_iter().map(|report| Seen { report, step: None }).collect();
        let [killed, failed] = &seen[..] else { panic!("{seen:?}") };
        let mut judged =
            [Judged { seen: killed, excuse: kill }, Judged { seen: failed, excuse: None }];
        excuse_last_faults_of_victims(&mut judged);
        judged[1].excuse.clone()
    }

    #[test]
    fn only_the_victim_of_an_excused_oom_kill_may_fail_to_allocate() {
        assert_eq!(failure_beside_a_kill(Some(Excuse::Expected), 93), Some(Excuse::Harmless));
        assert_eq!(failure_beside_a_kill(Some(Excuse::Expected), 94), None);
        assert_eq!(failure_beside_a_kill(None, 93), None);
    }
}
