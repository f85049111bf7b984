//! The test results that modules print, as KTAP, on the console.

use std::collections::BTreeMap;

use klog::Caller;
use klog::ktap::{Document, Parser};

use super::console::{Console, Line};

/// What begins a stream of results.
const VERSIONS: [&str; 2] = ["KTAP version ", "TAP version "];

/// Results that one task printed.
#[derive(Debug, Clone)]
pub struct Ktap {
    /// The step in which it began.
    pub step: String,
    /// The results.
    pub document: Document,
}

#[derive(Default)]
struct Stream {
    step: Option<String>,
    parser: Parser,
}

/// The results on `console` from the first of `loads` on, the steps that load modules: what the
/// kernel tests by itself while it boots is not the scenario's.
///
/// Where the kernel tells who printed a line (`CONFIG_PRINTK_CALLER`), results of modules that run at
/// the same time are told apart.
pub fn collect(console: &Console, loads: &[&str]) -> Vec<Ktap> {
    let in_load = |line: &&Line| line.step.as_deref().is_some_and(|step| loads.contains(&step));
    let Some(first) = console.lines.iter().position(|line| in_load(&line)) else {
        return Vec::new();
    };
    let mut streams: BTreeMap<Option<Caller>, Stream> = BTreeMap::new();
    for line in &console.lines[first..] {
        let text = &line.record.text;
        let begins = VERSIONS.iter().any(|version| text.trim_start().starts_with(version));
        let stream = streams.entry(line.record.caller).or_default();
        if begins && stream.step.is_none() {
            stream.step.clone_from(&line.step);
        }
        // A line that looks like a result, before anything said that results would come, is none.
        if stream.step.is_some() {
            stream.parser.line(text);
        }
    }
    let begun = streams.into_values().filter_map(|stream| Some((stream.step?, stream.parser)));
    begun.map(|(step, parser)| Ktap { step, document: parser.finish() }).collect()
}
