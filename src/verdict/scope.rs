//! The names that expectations may use.

use std::collections::BTreeMap;

use cel::Context;
use klog::Class;
use serde_json::{Map, Value, json};

use super::ktap;
use crate::results::KtapResult;
use crate::run::{Counters, Observation, Seen, StepRun};
use crate::scenario::model::Taint;

/// Everything that was seen, as CEL values.
pub fn context(observation: &Observation) -> Result<Context<'static, 'static>, String> {
    let mut context = Context::default();
    for (name, value) in values(observation) {
        context.add_variable(name, value).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(context)
}

fn values(observation: &Observation) -> [(&'static str, Value); 8] {
    let reports = &observation.console.reports;
    let events = reports.iter().filter(|seen| seen.report.class == Class::Event);
    let lines = observation.console.lines.iter();
    [
        ("reports", reports.iter().map(report).collect()),
        ("events", events.map(report).collect()),
        ("console", lines.map(|line| json!(line.record.text)).collect()),
        ("ktap", json!(seen_ktap(observation))),
        ("steps", steps(&observation.steps)),
        ("metrics", json!(metrics(observation))),
        ("taint", json!(taint(observation).map(|taint| taint.to_string()))),
        ("boot", json!(observation.boot.as_ref().map(|boot| json!({ "release": boot.release })))),
    ]
}

/// Every test that modules reported.
fn seen_ktap(observation: &Observation) -> Vec<KtapResult> {
    observation.ktap.iter().flat_map(ktap::results).collect()
}

fn report(seen: &Seen) -> Value {
    let mut value = json!(seen.report);
    value["step"] = json!(seen.step);
    value
}

fn steps(steps: &[StepRun]) -> Value {
    Value::Object(steps.iter().map(|step| (step.id.clone(), step_value(step))).collect())
}

fn step_value(step: &StepRun) -> Value {
    let stdout = step.stdout.text();
    let ended = step.ended.clone().unwrap_or_default();
    let mut value = Map::new();
    value.insert("status".into(), json!(step.status));
    value.insert("exit".into(), json!(ended.code));
    value.insert("signal".into(), json!(ended.signal));
    value.insert("pid".into(), json!(ended.pid));
    value.insert("wall_ms".into(), json!(ended.wall_ms));
    value.insert("usage".into(), json!(ended.usage));
    value.insert("json".into(), json_lines(&stdout));
    value.insert("stderr".into(), json!(step.stderr.text()));
    // Without the newlines at its end, as `$(…)` gives it in a shell.
    value.insert("stdout".into(), json!(stdout.trim_end_matches('\n')));
    Value::Object(value)
}

/// The lines of `text` that are JSON objects, as values.
fn json_lines(text: &str) -> Value {
    let objects = text.lines().filter(|line| line.starts_with('{'));
    objects.filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect()
}

/// Taint flags at the end, where the guest lived that long.
pub fn taint(observation: &Observation) -> Option<Taint> {
    observation.after.as_ref().map(|sample| Taint(sample.taint))
}

/// Numbers of the whole run: `boot_ms`, what the machine counted as `machine.NAME`, the counters at the end by their names, and what the
/// counters of vmstat and PSI grew by since the first step, as `delta.NAME`.
pub fn metrics(observation: &Observation) -> BTreeMap<String, f64> {
    let mut metrics = BTreeMap::new();
    if let Some(boot) = &observation.boot {
        metrics.insert("boot_ms".to_owned(), boot.after.as_secs_f64() * 1000.0);
    }
    let counted = observation.counted.iter();
    metrics.extend(counted.map(|(name, value)| (format!("machine.{name}"), *value)));
    if let Some(after) = &observation.after {
        metrics.extend(after.values.clone());
        if let Some(before) = &observation.before {
            metrics.extend(growth(before, after));
        }
    }
    metrics
}

fn growth(before: &Counters, after: &Counters) -> impl Iterator<Item = (String, f64)> {
    let counters = after.values.iter().filter(|(name, _)| {
        name.starts_with("vmstat.") || (name.starts_with("psi.") && name.ends_with(".total"))
    });
    counters.filter_map(|(name, now)| {
        let grown = now - before.values.get(name)?;
        (grown != 0.0).then(|| (format!("delta.{name}"), grown))
    })
}
