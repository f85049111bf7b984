//! A summary in Markdown, as forges render it.

use std::io::{self, Write};

use super::words::{cause, count, summary, word};
use crate::results::{Document, Status, TestResult};

/// Tests that a table names; a summary of a job has a limit of 1 MiB.
const MOST_ROWS: usize = 200;

/// Tests whose console is shown.
const MOST_EXCERPTS: usize = 20;

/// Writes the summary.
pub fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    head(document, out)?;
    let odd: Vec<&TestResult> =
        document.results.iter().filter(|result| result.status != Status::Pass).collect();
    if !odd.is_empty() {
        writeln!(out, "| result | test | cause | time |\n| --- | --- | --- | ---: |")?;
    }
    for result in odd.iter().take(MOST_ROWS) {
        row(result, out)?;
    }
    if odd.len() > MOST_ROWS {
        writeln!(out, "\n… and {} more.", odd.len() - MOST_ROWS)?;
    }
    let failed = odd.iter().filter(|result| !document.accepts(result.status));
    for result in failed.take(MOST_EXCERPTS) {
        details(result, out)?;
    }
    Ok(())
}

fn head(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let good = document.results.iter().all(|result| document.accepts(result.status));
    let mark = if good && !document.run.interrupted { "✅" } else { "❌" };
    writeln!(out, "### {mark} kharness: {}\n", summary(&document.results))?;
    let kernels: Vec<String> =
        document.kernels.iter().map(|k| format!("`{}` ({})", k.name, k.release)).collect();
    let run = &document.run;
    let seconds = run.duration_ms / 1000;
    writeln!(
        out,
        "Kernel {} · {} on {} · seed {} · {seconds} s\n",
        kernels.join(", "),
        run.backend,
        run.host.name,
        run.seed
    )?;
    if run.interrupted {
        let missing = count(document.missing().count(), "test");
        writeln!(out, "> ⚠️ **Incomplete**: the run ended early, {missing} did not run.\n")?;
    }
    Ok(())
}

fn row(result: &TestResult, out: &mut dyn Write) -> io::Result<()> {
    let (mark, word) = (mark(result.status), word(result.status));
    let (id, cause) = (cell(&result.id), cell(cause(result)));
    let seconds = result.duration_ms / 1000;
    writeln!(out, "| {mark} {word} | `{id}` | {cause} | {seconds} s |")
}

fn mark(status: Status) -> &'static str {
    match status {
        Status::Pass => "✅",
        Status::Skip => "⏭️",
        Status::Xfail => "☑️",
        Status::Flaky => "⚠️",
        Status::Crash => "💥",
        Status::Timeout => "⏱️",
        Status::Error => "🔧",
        Status::Fail | Status::Xpass => "❌",
    }
}

/// Text that stays inside of its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}

fn details(result: &TestResult, out: &mut dyn Write) -> io::Result<()> {
    let (id, cause) = (&result.id, cause(result).replace('<', "&lt;"));
    writeln!(out, "\n<details><summary><code>{id}</code>: {cause}</summary>\n")?;
    for expectation in result.expectations.iter().filter(|expectation| !expectation.held) {
        writeln!(out, "- expected `{}`", expectation.text.replace('`', "'"))?;
        for detail in &expectation.details {
            writeln!(out, "  - {}", cell(detail))?;
        }
    }
    if !result.excerpt.is_empty() {
        fenced(&result.excerpt.join("\n"), "text", out)?;
    }
    fenced(&result.repro, "sh", out)?;
    writeln!(out, "</details>")
}

/// A block of code whose fence is longer than any in the text.
fn fenced(text: &str, language: &str, out: &mut dyn Write) -> io::Result<()> {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    writeln!(out, "\n{fence}{language}\n{text}\n{fence}\n")
}
