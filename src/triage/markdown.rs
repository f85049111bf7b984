//! Reports for a bug tracker or a pull request.

use std::io::{self, Write};

use super::Shown;
use super::human::{circumstances, place_lines};

/// Frames of the stack that are shown.
const FRAMES: usize = 20;

/// Prints the reports as a Markdown document.
///
/// # Errors
/// When `out` cannot be written.
pub fn print(out: &mut impl Write, reports: &[Shown]) -> io::Result<()> {
    writeln!(out, "# Kernel reports: {}", reports.len())?;
    for report in reports {
        one(out, report)?;
    }
    Ok(())
}

fn one(out: &mut impl Write, shown: &Shown) -> io::Result<()> {
    let report = &shown.report;
    let explanation = klog::explain(&report.kind);
    writeln!(out, "\n## {}\n", escaped(&report.title))?;
    writeln!(out, "{} ([{}]({}))\n", explanation.text, report.kind, explanation.link)?;
    for line in circumstances(report) {
        writeln!(out, "- {}", escaped(&line))?;
    }
    writeln!(out, "- fingerprint `{}`", report.fingerprint)?;
    let lines = place_lines(shown, FRAMES);
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n```")?;
    for line in lines {
        writeln!(out, "{}", line.replace("```", "'''"))?;
    }
    writeln!(out, "```")
}

/// The kernel's text must not become markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '<' | '[' | ']' | '#' | '|') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_the_kernel_stays_text() {
        assert_eq!(escaped("a_b <x> [1]"), "a\\_b \\<x> \\[1\\]");
    }
}
