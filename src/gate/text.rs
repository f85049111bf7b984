//! A comparison for people.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::compare::{Comparison, Finding};
use super::known::Known;

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const ODD: Style = AnsiColor::Yellow.on_default().bold();

/// Lines for a terminal: the worst last, where people look.
pub fn print(found: &Comparison) -> String {
    let mut text = String::new();
    for (style, word, findings) in sections(found) {
        for finding in findings {
            // Writing to a String cannot fail.
            let _ =
                writeln!(text, "{style}{word:>12}{style:#} {}: {}", finding.test, finding.detail);
        }
    }
    for (word, entries) in [("Expired", &found.expired), ("Stale", &found.stale)] {
        for entry in entries {
            let _ = writeln!(text, "{ODD}{word:>12}{ODD:#} {}", describe(entry));
        }
    }
    let style = if found.lands() { GOOD } else { BAD };
    let _ = writeln!(text, "{style}{:>12}{style:#} {}", "Gate", found.summary());
    text
}

fn sections(found: &Comparison) -> [(Style, &'static str, &[Finding]); 8] {
    [
        (GOOD, "New", &found.new),
        (ODD, "Gone", &found.gone),
        (GOOD, "Fixed", &found.fixes),
        (ODD, "Known", &found.known),
        (ODD, "Flaky", &found.flaky),
        (ODD, "Error", &found.errors),
        (BAD, "Xpass", &found.xpass),
        (BAD, "Regression", &found.regressions),
    ]
}

fn describe(known: &Known) -> String {
    let Known { test, what, reason, link, until } = known;
    let what = what.as_ref().map(|what| format!(" ({what})")).unwrap_or_default();
    let link = link.as_ref().map(|link| format!(", {link}")).unwrap_or_default();
    format!("{test}{what}: {reason}{link}, until {until}")
}

impl Comparison {
    /// Whether the change may land, as far as anything can be said.
    pub fn lands(&self) -> bool {
        self.regressions.is_empty() && self.xpass.is_empty()
    }

    /// In one line.
    pub fn summary(&self) -> String {
        let counts = [
            (self.regressions.len(), "regressions"),
            (self.xpass.len(), "xpass"),
            (self.errors.len(), "errors"),
            (self.known.len(), "known"),
            (self.flaky.len(), "flaky"),
            (self.fixes.len(), "fixes"),
            (self.new.len(), "new"),
            (self.gone.len(), "gone"),
        ];
        let parts = counts.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts.map(|(count, word)| format!("{count} {word}")).collect();
        let parts = if parts.is_empty() { "nothing changed".to_owned() } else { parts.join(", ") };
        let notes = [
            (self.incomplete, "; the results are incomplete"),
            (self.baseline_incomplete, "; the baseline is incomplete"),
        ];
        let notes = notes.into_iter().filter(|(holds, _)| *holds).map(|(_, note)| note);
        [parts.as_str()].into_iter().chain(notes).collect()
    }
}

/// The same as a section of a Markdown summary.
pub fn to_markdown(found: &Comparison) -> String {
    let mark = if found.lands() { "✅" } else { "❌" };
    let mut text = format!("### {mark} Against the baseline: {}\n\n", found.summary());
    let mut rows = sections(found)
        .into_iter()
        .rev()
        .flat_map(|(_, word, findings)| findings.iter().map(move |finding| (word, finding)));
    let row = |(word, finding): (&str, &Finding)| {
        let detail = finding.detail.replace('|', "\\|").replace('<', "&lt;").replace('\n', " ");
        format!("| {word} | `{}` | {detail} |\n", finding.test)
    };
    if let Some(first) = rows.next() {
        text.push_str("| change | test | detail |\n| --- | --- | --- |\n");
        text.push_str(&row(first));
        text.extend(rows.take(200).map(row));
    }
    text
}
