//! Detectors that switched themselves off: what a scenario that depends on one may still say.

use klog::Report;

use crate::scenario::model::{ConfigNeed, ConfigValue, Form, Scenario};

/// A detector, the reports that are its, and the beginnings of the options that switch it on.
struct Detector {
    name: &'static str,
    reports: &'static [&'static str],
    options: &'static [&'static str],
}

const DETECTORS: [Detector; 6] = [
    Detector {
        name: "lockdep",
        reports: &["lockdep"],
        options: &[
            "CONFIG_PROVE_LOCKING",
            "CONFIG_LOCKDEP",
            "CONFIG_DEBUG_LOCK_ALLOC",
            "CONFIG_PROVE_RCU",
            "CONFIG_PROVE_RAW_LOCK_NESTING",
        ],
    },
    Detector { name: "kmemleak", reports: &["leak.kmemleak"], options: &["CONFIG_DEBUG_KMEMLEAK"] },
    Detector {
        name: "debug-objects",
        reports: &["debug-objects"],
        options: &["CONFIG_DEBUG_OBJECTS"],
    },
    Detector { name: "hung-task", reports: &["hung-task"], options: &["CONFIG_DETECT_HUNG_TASK"] },
    Detector { name: "dma-api", reports: &[], options: &["CONFIG_DMA_API_DEBUG"] },
    Detector {
        name: "stack-depot",
        reports: &["kasan", "kmsan"],
        options: &["CONFIG_KASAN", "CONFIG_KMSAN", "CONFIG_STACKDEPOT"],
    },
];

/// The name of the detector that `report` says is off; none for other reports.
pub fn lost(report: &Report) -> Option<&str> {
    report.kind.as_str().strip_prefix("detector-lost.")
}

/// Whether the scenario waits for reports of the detector `name`, or requires it in the configuration.
pub fn depends(scenario: &Scenario, name: &str) -> bool {
    let detector = DETECTORS.iter().find(|detector| detector.name == name);
    detector.is_some_and(|detector| expects(scenario, detector) || requires(scenario, detector))
}

fn expects(scenario: &Scenario, detector: &Detector) -> bool {
    let of_steps = scenario.steps.iter().flat_map(|step| &step.expect);
    scenario.expect.iter().chain(of_steps).any(|expectation| match &expectation.form {
        Form::Report(wanted) => detector.reports.iter().any(|kind| is_below(&wanted.kind, kind)),
        _ => false,
    })
}

fn requires(scenario: &Scenario, detector: &Detector) -> bool {
    let asks = |need: &&ConfigNeed| need.value != ConfigValue::Off;
    scenario
        .requires
        .config
        .iter()
        .filter(asks)
        .any(|need| detector.options.iter().any(|option| need.name.starts_with(option)))
}

fn is_below(kind: &str, ancestor: &str) -> bool {
    kind.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
