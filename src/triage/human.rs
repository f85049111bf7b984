//! Reports for people at a terminal.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style as Ansi};
use klog::{Class, Report};

use super::Shown;

const FAULT: Ansi = AnsiColor::Red.on_default().bold();
const EVENT: Ansi = AnsiColor::Yellow.on_default().bold();
const QUIET: Ansi = Ansi::new().dimmed();
const TITLE: Ansi = Ansi::new().bold();

/// Frames of the stack that are shown.
const FRAMES: usize = 8;

/// How to print.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// With colours.
    pub color: bool,
    /// With the newest report first, as one wants it on a terminal.
    pub newest_first: bool,
}

/// Prints each report in a few lines.
///
/// # Errors
/// When `out` cannot be written.
pub fn print(out: &mut impl Write, reports: &[Shown], style: Style) -> io::Result<()> {
    let mut ordered: Vec<&Shown> = reports.iter().collect();
    if style.newest_first {
        ordered.reverse();
    }
    for report in ordered {
        one(out, report, style.color)?;
        writeln!(out)?;
    }
    match reports.len() {
        0 => writeln!(out, "no kernel reports"),
        1 => writeln!(out, "1 kernel report"),
        many => writeln!(out, "{many} kernel reports"),
    }
}

fn one(out: &mut impl Write, shown: &Shown, color: bool) -> io::Result<()> {
    let report = &shown.report;
    let paint = |style: Ansi, text: &str| {
        if color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    };
    let (word, style) = label(report);
    writeln!(out, "{} {}", paint(style, &format!("{word:>8}")), paint(TITLE, &report.title))?;
    let explanation = klog::explain(&report.kind);
    writeln!(out, "         {}", explanation.text)?;
    writeln!(
        out,
        "         {} {}",
        paint(QUIET, report.kind.as_str()),
        paint(QUIET, explanation.link)
    )?;
    for line in circumstances(report) {
        writeln!(out, "         {line}")?;
    }
    for line in place_lines(shown, FRAMES) {
        writeln!(out, "           {line}")?;
    }
    Ok(())
}

/// The instruction that trapped and those around it, where it stood, and the stack.
pub(super) fn place_lines(shown: &Shown, frames: usize) -> Vec<String> {
    let mut lines: Vec<String> = shown.symbols.clone().into_iter().collect();
    lines.extend(shown.code_lines());
    lines.extend(shown.place(frames).iter().map(ToString::to_string));
    lines
}

fn label(report: &Report) -> (&'static str, Ansi) {
    match report.class {
        Class::Fault => ("FAULT", FAULT),
        Class::Event => ("EVENT", EVENT),
        Class::DetectorLost => ("DETECTOR", EVENT),
        Class::Info => ("INFO", QUIET),
    }
}

/// Where, when, and what followed.
pub(super) fn circumstances(report: &Report) -> Vec<String> {
    let mut place = vec![format!("bytes {}..{}", report.start, report.end)];
    if let Some(time) = report.timestamp_us {
        place.push(format!("at {}.{:06}s", time / 1_000_000, time % 1_000_000));
    }
    place.extend(report.cpu.map(|cpu| format!("cpu {cpu}")));
    place.extend(report.task.as_ref().map(|task| format!("task {}/{}", task.comm, task.pid)));
    place.extend(report.kernel.as_ref().map(|kernel| format!("kernel {kernel}")));
    let mut lines = vec![place.join(", ")];
    lines.extend(report.panic.as_ref().map(|reason| format!("led to a panic: {reason}")));
    lines.extend(
        report.consequence_of.map(|start| format!("consequence of the report at byte {start}")),
    );
    lines.extend(report.corruption.as_ref().map(|why| format!("incomplete: {why}")));
    lines
}
