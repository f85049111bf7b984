//! `tests/corpus/titles.txt`: many small logs, each with what its reports' titles must hold.
//!
//! A log begins with `%%% name | wanted`. `wanted` is `none`, or the reports in the order of the log, separated by `;`, each as
//! the texts, separated by `&`, that its title, its function or its corruption (`CORRUPT`) must hold.
//!
//! `tests/corpus/formats/*.txt`: the same for messages without any prefix. Each is read bare and behind every prefix that
//! consoles and log carriers put in front, and must give the same.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::path::{Path, PathBuf};

use klog::Report;

/// A log and what is wanted of it.
struct Case {
    name: String,
    wanted: Vec<String>,
    log: String,
}

fn corpus(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus").join(path)
}

fn cases(path: &Path) -> Vec<Case> {
    fs::read_to_string(path).unwrap().split("%%% ").skip(1).map(case).collect()
}

fn formats() -> Vec<Case> {
    let files = fs::read_dir(corpus("formats")).unwrap().map(|entry| entry.unwrap().path());
    files.flat_map(|path| cases(&path)).collect()
}

fn case(text: &str) -> Case {
    let (head, log) = text.split_once('\n').unwrap();
    let (name, wanted) = head.split_once(" | ").unwrap();
    let wanted = wanted.split(';').map(|text| text.trim().to_owned()).filter(|text| text != "none");
    Case { name: name.to_owned(), wanted: wanted.collect(), log: log.to_owned() }
}

/// A report as the wanted texts see it.
fn shown(report: &Report) -> String {
    let function = report.function.as_deref().unwrap_or("-");
    let corrupt = report.corruption.as_deref().map(|why| format!(" CORRUPT: {why}"));
    format!("{} [{}] {function}{}", report.title, report.kind, corrupt.unwrap_or_default())
}

fn fits(wanted: &[String], found: &[String]) -> bool {
    let holds = |wanted: &str, found: &str| {
        let whole = wanted.split('&').all(|part| found.contains(part.trim()));
        whole && found.contains("CORRUPT") == wanted.contains("CORRUPT")
    };
    wanted.len() == found.len()
        && wanted.iter().zip(found).all(|(wanted, found)| holds(wanted, found))
}

/// What is wrong with a case whose log reads `log`, if anything is.
fn complaint(case: &Case, log: &str) -> Option<String> {
    let reports = klog::reports(log.as_bytes());
    let found: Vec<String> =
        reports.iter().filter(|report| report.is_problem()).map(shown).collect();
    let wrong = !fits(&case.wanted, &found);
    wrong.then(|| format!("{}: wanted {:?}, found {found:#?}\n", case.name, case.wanted))
}

#[test]
fn every_log_has_the_titles_written_above_it() {
    let cases = cases(&corpus("titles.txt"));
    assert!(cases.len() > 200, "the file is cut off");
    let wrong: String = cases.iter().filter_map(|case| complaint(case, &case.log)).collect();
    assert!(wrong.is_empty(), "{wrong}");
}

/// Prefixes with `{us}` for the microseconds, and the ends of lines.
const SHAPES: [(&str, &str); 11] = [
    ("", "\n"),
    ("[   52.{us}] ", "\n"),
    ("[   52.{us}] ", "\r\n"),
    ("\r[   52.{us}] ", "\n"),
    ("[   52.{us}][ T4242] ", "\n"),
    ("<4>[   52.{us}] ", "\n"),
    ("4,7,52{us},-;", "\n"),
    ("kern  :warn  : [   52.{us}] ", "\n"),
    ("Jan 12 10:11:12 host kernel: [   52.{us}] ", "\n"),
    ("[   52.{us}] c1   4242 ", "\n"),
    ("[   52.{us}] [ T4242] ", "\n"),
];

fn dressed(log: &str, (prefix, end): (&str, &str)) -> String {
    let lines = log.lines().enumerate();
    lines
        .map(|(number, line)| {
            let prefix = prefix.replace("{us}", &format!("{:06}", 250_463 + number));
            format!("{prefix}{line}{end}")
        })
        .collect()
}

#[test]
fn every_format_is_read_behind_every_prefix() {
    let cases = formats();
    assert!(cases.len() > 150, "files are missing");
    let mut wrong = String::new();
    for case in &cases {
        for shape in SHAPES {
            let complaint = complaint(case, &dressed(&case.log, shape));
            wrong.extend(complaint.map(|text| format!("behind {:?}: {text}", shape.0)));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
