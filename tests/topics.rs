//! docs/topics.md names every scenario, and no other.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// `oom/score` and the like: the files below scenarios/, without suffix.
fn files() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = |dir: &Path| fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let topics = entries(&root).filter(|path| path.is_dir());
    let files = topics.flat_map(|dir| entries(&dir).collect::<Vec<_>>());
    let scenarios = files.filter(|path| path.extension().is_some_and(|suffix| suffix == "yaml"));
    let ids = scenarios.map(|path| {
        path.with_extension("").strip_prefix(&root).unwrap().to_str().unwrap().to_owned()
    });
    ids.collect()
}

/// The names in the second column of the page's table.
fn named() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/topics.md");
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let cells = rows.map(|(_, scenarios)| scenarios);
    let words = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    words.filter(|word| word.contains('/')).map(Into::into).collect()
}

#[test]
fn every_scenario_has_its_topic_and_every_name_is_a_scenario() {
    let (files, named) = (files(), named());
    let unnamed: Vec<_> = files.difference(&named).collect();
    assert!(unnamed.is_empty(), "docs/topics.md lacks {unnamed:?}");
    let absent: Vec<_> = named.difference(&files).collect();
    assert!(absent.is_empty(), "docs/topics.md names what is no scenario: {absent:?}");
}
