//! Numbers that a test reports by itself: the gate compares these between kernels.
//!
//! A program of a step prints a JSON line such as
//! `{"metric": "alloc_ns", "value": 12.5, "unit": "ns", "better": "lower"}`; a kernel module prints
//! a console line `kharness: metric alloc_ns 12.5 ns`. Where nothing says what is better, the unit
//! does: more of a rate is better, less of everything else.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::results::{Better, Measure};
use crate::run::Observation;

/// Measures kept of one test; more are no measures but a flood.
const MOST: usize = 1000;

/// How a console line of a measure begins.
const CONSOLE_PREFIX: &str = "kharness: metric ";

#[derive(Deserialize)]
struct Line {
    metric: String,
    value: f64,
    #[serde(default)]
    unit: String,
    better: Option<Better>,
}

/// Everything that the test reported; the last of a name wins.
pub fn measures(observation: &Observation) -> BTreeMap<String, Measure> {
    let outputs: Vec<String> = observation.steps.iter().map(|step| step.stdout.text()).collect();
    let of_steps = outputs.iter().flat_map(|output| output.lines()).filter_map(of_json);
    let console = observation.console.lines.iter().map(|line| line.record.text.as_str());
    of_steps.chain(console.filter_map(of_console)).take(MOST).collect()
}

fn of_json(line: &str) -> Option<(String, Measure)> {
    let line: Line = serde_json::from_str(line.trim().strip_prefix('{').map(|_| line)?).ok()?;
    measure(line)
}

fn of_console(text: &str) -> Option<(String, Measure)> {
    // A module's own prefix, `NAME: `, may come first.
    let (_, stated) = text.split_once(CONSOLE_PREFIX)?;
    let mut words = stated.split_ascii_whitespace();
    let (metric, value) = (words.next()?.to_owned(), words.next()?.parse().ok()?);
    let unit = words.next().unwrap_or_default().to_owned();
    measure(Line { metric, value, unit, better: None })
}

fn measure(line: Line) -> Option<(String, Measure)> {
    let better = line.better.unwrap_or(if line.unit.ends_with("/s") {
        Better::Higher
    } else {
        Better::Lower
    });
    let measure = Measure { value: line.value, unit: line.unit, better };
    measure.value.is_finite().then_some((line.metric, measure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_line_of_a_program_is_a_measure_and_other_json_is_not() {
        let (name, measure) = of_json(r#"{"metric":"copy","value":3.5,"unit":"GB/s"}"#).unwrap();
        assert_eq!((name.as_str(), measure.value, measure.better), ("copy", 3.5, Better::Higher));
        assert!(of_json(r#"{"value": 3.5}"#).is_none() && of_json("metric 3").is_none());
    }

    #[test]
    fn a_console_line_of_a_module_is_a_measure() {
        let (name, measure) = of_console("bench: kharness: metric alloc_ns 12.5 ns").unwrap();
        assert_eq!((name.as_str(), measure.value), ("alloc_ns", 12.5));
        assert_eq!((measure.unit.as_str(), measure.better), ("ns", Better::Lower));
        assert!(of_console("kharness: metric alloc_ns many").is_none());
        assert!(of_console("kharness: metric x inf").is_none());
    }
}
