//! The verdict on one attempt.

use chrono::NaiveDate;
use vmm::Stop;

use super::excuse::{self, Excuse, Judged};
use super::{detectors, excerpt, expectations, ktap, loading, scope};
use crate::results::{ExpectationResult, KtapResult, ReportResult, Status, StepStatus};
use crate::run::{Halt, Observation, StepRun};
use crate::scenario::model::{Expectation, Form, Scenario, Stopped};

/// What one attempt came to.
pub struct Verdict {
    /// The status, before retries and `xfail` are looked at.
    pub status: Status,
    /// Why, in one line; absent for a pass.
    pub cause: Option<String>,
    /// Every kernel report, with its excuse.
    pub reports: Vec<ReportResult>,
    /// Every expectation.
    pub expectations: Vec<ExpectationResult>,
    /// Every test of a module.
    pub ktap: Vec<KtapResult>,
    /// Numbers.
    pub metrics: std::collections::BTreeMap<String, f64>,
    /// Console lines around the cause.
    pub excerpt: Vec<String>,
    /// State of the guest when it stopped, from its memory.
    pub guest: Vec<String>,
}

/// One thing that speaks against a pass.
struct Charge {
    status: Status,
    cause: String,
    excerpt: Vec<String>,
}

/// Judges `seen`. A pass means: every step did what it should, every expectation holds, the guest
/// ended when and how it should, and the kernel reported nothing that was not asked for.
pub fn judge(scenario: &Scenario, seen: &Observation, today: NaiveDate) -> Verdict {
    let judged = excuse::judge_all(scenario, &seen.console.reports, today);
    let expectations = expectations::check_all(scenario, seen);
    let death = death(scenario, seen);
    // In the order of importance: the first one is the cause. What the kernel says explains a
    // death; a death explains steps and expectations that failed.
    let charges = [
        host_fault(seen),
        unexpected_report(&judged, seen, death.as_ref())
            .map(|charge| inconclusive(scenario, &judged, charge)),
        death,
        failed_step(scenario, seen),
        loading::unknown_parameter(seen).map(plain_failure),
        ktap::complaint(seen).map(plain_failure),
        failed_expectation(&expectations, seen),
    ];
    let charge = charges.into_iter().flatten().next();
    let (status, cause, excerpt) = match charge {
        Some(charge) => (charge.status, Some(charge.cause), charge.excerpt),
        None => (Status::Pass, None, Vec::new()),
    };
    Verdict {
        status,
        cause,
        reports: judged.iter().map(report_result).collect(),
        expectations,
        ktap: seen.ktap.iter().flat_map(ktap::results).collect(),
        metrics: scope::metrics(seen),
        excerpt,
        guest: Vec::new(),
    }
}

fn plain_failure(cause: String) -> Charge {
    Charge { status: Status::Fail, cause, excerpt: Vec::new() }
}

fn host_fault(seen: &Observation) -> Option<Charge> {
    let cause = match seen.halt.as_ref()? {
        halt @ (Halt::Host(_) | Halt::Interrupted | Halt::Stopped(Stop::Internal(_))) => {
            halt.to_string()
        }
        _ => return None,
    };
    Some(Charge { status: Status::Error, cause, excerpt: excerpt::last(&seen.console) })
}

fn unexpected_report(
    judged: &[Judged],
    seen: &Observation,
    death: Option<&Charge>,
) -> Option<Charge> {
    let first = leading(judged)?;
    let report = &first.seen.report;
    let at = first.seen.step.as_ref().map(|step| format!(" in step {step}")).unwrap_or_default();
    let then = death.map(|death| format!("; then {}", death.cause)).unwrap_or_default();
    let fatal = judged.iter().any(|judged| judged.excuse.is_none() && kills(judged));
    let status = match death {
        Some(death) => death.status,
        None if fatal => Status::Crash,
        None => Status::Fail,
    };
    Some(Charge {
        status,
        cause: format!("kernel report {}{at}: {}{then}", report.kind, report.title),
        excerpt: excerpt::around(&seen.console, report.start, report.end),
    })
}

/// Where a detector that the scenario depends on was lost, and nothing worse was reported, nobody can tell.
fn inconclusive(scenario: &Scenario, judged: &[Judged], charge: Charge) -> Charge {
    let first = leading(judged).map(|judged| &judged.seen.report);
    let lost = first.filter(|_| charge.status == Status::Fail).and_then(detectors::lost);
    match lost.filter(|detector| detectors::depends(scenario, detector)) {
        Some(detector) => Charge {
            status: Status::Error,
            cause: format!(
                "inconclusive: {detector}, which the scenario depends on, is off: {}",
                charge.cause
            ),
            excerpt: charge.excerpt,
        },
        None => charge,
    }
}

/// The first report that nothing excuses. A detector that was switched off is a lesser thing than
/// whatever else was reported.
fn leading<'a>(judged: &'a [Judged<'a>]) -> Option<&'a Judged<'a>> {
    let unexcused = judged.iter().filter(|judged| judged.excuse.is_none());
    unexcused.min_by_key(|judged| judged.seen.report.kind.is_within("detector-lost"))
}

/// Kinds after which a kernel, or the task that it killed, is not what it was.
fn kills(judged: &Judged) -> bool {
    let kinds = ["oops", "bug", "double-fault"];
    judged.seen.led_to_panic() || kinds.iter().any(|kind| judged.seen.report.kind.is_within(kind))
}

/// The guest's end, where it is not the one that the scenario wants.
fn death(scenario: &Scenario, seen: &Observation) -> Option<Charge> {
    let halt = seen.halt.as_ref()?;
    if end_is_expected(scenario, seen) {
        return None;
    }
    let status = match halt {
        Halt::Timeout { .. } => Status::Timeout,
        _ => Status::Crash,
    };
    let step = seen.steps.iter().find(|step| is_cut_short(step));
    let at = step.map(|step| format!(" in step {}", step.id)).unwrap_or_else(|| {
        if seen.boot.is_none() { " before the agent answered".into() } else { String::new() }
    });
    Some(Charge { status, cause: format!("{halt}{at}"), excerpt: excerpt::last(&seen.console) })
}

fn is_cut_short(step: &StepRun) -> bool {
    matches!(step.status, StepStatus::Interrupted | StepStatus::TimedOut)
}

/// A guest that stopped as it should. A panic may end in a reset, a power-off or a standstill.
fn end_is_expected(scenario: &Scenario, seen: &Observation) -> bool {
    let by_itself = matches!(
        seen.halt,
        Some(Halt::Panicked | Halt::Stopped(Stop::Reset | Stop::PowerOff | Stop::TripleFault))
    );
    let of_steps = scenario.steps.iter().flat_map(|step| &step.expect);
    by_itself && scenario.expect.iter().chain(of_steps).any(|wanted| wants_this_end(wanted, seen))
}

fn wants_this_end(wanted: &Expectation, seen: &Observation) -> bool {
    match &wanted.form {
        Form::Stopped(how) => expectations::stopped_so(seen, *how),
        Form::Report(report) if report.kind == "panic" => {
            expectations::stopped_so(seen, Stopped::Panic)
        }
        _ => false,
    }
}

fn failed_step(scenario: &Scenario, seen: &Observation) -> Option<Charge> {
    let ended = end_is_expected(scenario, seen);
    let step = seen.steps.iter().find(|step| !is_well(scenario, step, ended))?;
    let how = match (&step.ended, &step.message) {
        _ if step.status == StepStatus::NotRun => "was not reached".to_owned(),
        (Some(ended), _) if ended.code.is_some() => {
            format!("exited with {}", ended.code.unwrap_or_default())
        }
        (Some(ended), _) => format!("was ended by signal {}", ended.signal.unwrap_or_default()),
        (None, Some(message)) => match loading::why(seen, step) {
            Some(why) => format!("failed: {message}; {why}"),
            None => format!("failed: {message}"),
        },
        (None, None) => "did not end".to_owned(),
    };
    Some(Charge {
        status: Status::Fail,
        cause: format!("step {} ({}) {how}", step.id, step.kind),
        excerpt: Vec::new(),
    })
}

/// Whether a step did what it should, as far as its own expectations do not speak of it.
fn is_well(scenario: &Scenario, step: &StepRun, ended: bool) -> bool {
    let stated = scenario.steps.iter().find(|stated| stated.id == step.id);
    let says_how = stated.is_some_and(|stated| {
        stated.expect.iter().any(|e| matches!(e.form, Form::Exit(_) | Form::Signal(_)))
    });
    match step.status {
        StepStatus::Done => says_how || step.succeeded(),
        StepStatus::Interrupted => ended,
        StepStatus::Failed | StepStatus::TimedOut | StepStatus::NotRun => false,
    }
}

fn failed_expectation(results: &[ExpectationResult], seen: &Observation) -> Option<Charge> {
    let failed = results.iter().find(|result| !result.held)?;
    let at = failed.step.as_ref().map(|step| format!(" of step {step}")).unwrap_or_default();
    let detail = failed.details.first().map(|line| format!(" ({line})")).unwrap_or_default();
    Some(Charge {
        status: Status::Fail,
        cause: format!("expectation{at} does not hold: {}{detail}", failed.text),
        excerpt: excerpt::last(&seen.console),
    })
}

fn report_result(judged: &Judged) -> ReportResult {
    let report = &judged.seen.report;
    ReportResult {
        kind: report.kind.to_string(),
        title: report.title.clone(),
        function: report.function.clone(),
        fingerprint: report.fingerprint.clone(),
        step: judged.seen.step.clone(),
        expected: judged.excuse == Some(Excuse::Expected),
        allowed: match &judged.excuse {
            Some(Excuse::Allowed(reason)) => Some(reason.clone()),
            _ => None,
        },
        corrupted: report.corrupted,
        start: report.start,
        end: report.end,
        code: Vec::new(),
        frames: Vec::new(),
        symbols: None,
    }
}
