//! The corpus of kernel logs in `tests/corpus`: what each must give, in the JSON file beside it.
//!
//! `KLOG_UPDATE=1 cargo test -p klog --test corpus` writes the expected results anew; read the difference before
//! committing it.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::path::{Path, PathBuf};

use klog::{Item, Report, Scanner};
use serde_json::{Value, json};

fn corpus(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus").join(folder);
    let mut logs: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    assert!(!logs.is_empty(), "no logs in {}", folder.display());
    logs
}

fn with_reports() -> Vec<PathBuf> {
    [corpus("live"), corpus("written")].concat()
}

fn summary(report: &Report) -> Value {
    let frames: Vec<&str> = report
        .frames
        .iter()
        .filter(|frame| frame.reliable)
        .take(4)
        .map(|frame| frame.function.as_str())
        .collect();
    json!({
        "kind": report.kind, "class": report.class, "title": report.title, "function": report.function, "frames": frames,
        "task": report.task, "cpu": report.cpu, "taint": report.taint, "fields": report.fields, "panic": report.panic,
        "corrupted": report.corrupted, "start": report.start, "end": report.end, "fingerprint": report.fingerprint,
    })
}

fn problems(log: &[u8]) -> Vec<Report> {
    klog::reports(log).into_iter().filter(Report::is_problem).collect()
}

#[test]
fn every_log_gives_what_is_written_beside_it() {
    let update = std::env::var_os("KLOG_UPDATE").is_some();
    for path in with_reports() {
        let got: Vec<Value> = problems(&fs::read(&path).unwrap()).iter().map(summary).collect();
        assert!(!got.is_empty(), "{}: no report found", path.display());
        let expected = path.with_extension("json");
        let text = serde_json::to_string_pretty(&got).unwrap() + "\n";
        if update {
            fs::write(&expected, text).unwrap();
            continue;
        }
        let want: Value = serde_json::from_str(&fs::read_to_string(&expected).unwrap()).unwrap();
        assert_eq!(Value::Array(got), want, "{}", path.display());
    }
}

#[test]
fn clean_logs_give_no_report() {
    for path in corpus("clean") {
        let titles: Vec<String> =
            problems(&fs::read(&path).unwrap()).into_iter().map(|report| report.title).collect();
        assert_eq!(titles, Vec::<String>::new(), "{}", path.display());
    }
}

#[test]
fn parsing_from_a_reports_start_finds_it_and_from_its_end_does_not() {
    for path in with_reports() {
        let log = fs::read(&path).unwrap();
        for report in problems(&log) {
            // A second boot is one only behind a first.
            if report.kind.as_str() == "reboot" {
                continue;
            }
            let at = |offset: u64| usize::try_from(offset).unwrap();
            let same = |log: &[u8]| {
                problems(log).iter().filter(|other| other.title == report.title).count()
            };
            let from_start = problems(&log[at(report.start)..]);
            assert_eq!(from_start[0].title, report.title, "{}", path.display());
            assert!(
                same(&log[at(report.end)..]) < same(&log[at(report.start)..]),
                "{}: {} again",
                path.display(),
                report.title
            );
        }
    }
}

#[test]
fn chunks_of_any_size_give_the_same_reports() {
    for path in with_reports() {
        let log = fs::read(&path).unwrap();
        let whole = klog::reports(&log);
        for size in [1, 7, 64, 4096] {
            let mut scanner = Scanner::reports_only();
            for chunk in log.chunks(size) {
                scanner.feed(chunk);
            }
            scanner.finish();
            let mut found: Vec<Report> = scanner.drain().filter_map(report).collect();
            found.sort_by_key(|report| report.start);
            assert_eq!(found, whole, "{} in chunks of {size}", path.display());
        }
    }
}

#[test]
fn records_do_not_change_the_reports() {
    for path in with_reports() {
        let log = fs::read(&path).unwrap();
        let mut scanner = Scanner::new();
        scanner.feed(&log);
        scanner.finish();
        let mut found: Vec<Report> = scanner.drain().filter_map(report).collect();
        found.sort_by_key(|report| report.start);
        assert_eq!(found, klog::reports(&log), "{}", path.display());
    }
}

#[test]
fn other_prefixes_give_the_same_reports() {
    for path in corpus("written") {
        let log = fs::read_to_string(&path).unwrap();
        let want = titles(&log);
        assert_eq!(titles(&log.replace('\n', "\r\n")), want, "{} with CRLF", path.display());
        let raw: String =
            log.lines()
                .map(|line| {
                    if line.starts_with('[') { format!("<4>{line}\n") } else { format!("{line}\n") }
                })
                .collect();
        assert_eq!(titles(&raw), want, "{} with levels", path.display());
        let syslog: String =
            log.lines().map(|line| format!("Jan 12 10:11:12 host kernel: {line}\n")).collect();
        assert_eq!(titles(&syslog), want, "{} in a syslog", path.display());
    }
}

fn titles(log: &str) -> Vec<String> {
    problems(log.as_bytes()).into_iter().map(|report| report.title).collect()
}

fn report(item: Item) -> Option<Report> {
    match item {
        Item::Report(report) => Some(*report),
        Item::Record(_) => None,
    }
}

#[test]
fn the_prefilter_lets_every_headline_pass() {
    for path in with_reports() {
        for line in String::from_utf8_lossy(&fs::read(&path).unwrap()).lines() {
            let text = &line[klog::record::Prefix::parse(line.as_bytes()).len.min(line.len())..];
            if klog::detect::headline(text).is_some() {
                assert!(
                    klog::detect::first_needle(line.as_bytes()).is_some(),
                    "{}: {line}",
                    path.display()
                );
            }
        }
    }
}
