//! GitHub Actions: annotations, and the summary of the job.
//! <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>

use std::env;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};

use super::markdown;
use super::words::cause;
use crate::results::{Document, Status, TestResult};

/// Annotations in one step; the service shows ten of a kind and drops the rest.
const MOST_ANNOTATIONS: usize = 10;

/// Tells GitHub Actions what the run came to; does nothing elsewhere. Annotations go to standard
/// error, which the service reads as well: standard output may be the results document.
pub fn tell(document: &Document) -> io::Result<()> {
    if env::var_os("GITHUB_ACTIONS").is_none_or(|value| value != "true") {
        return Ok(());
    }
    annotate(document, &mut io::stderr().lock())?;
    let Some(path) = env::var_os("GITHUB_STEP_SUMMARY") else { return Ok(()) };
    let mut out = BufWriter::new(OpenOptions::new().create(true).append(true).open(path)?);
    markdown::write(document, &mut out)?;
    out.flush()
}

fn annotate(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let bad = document.results.iter().filter(|result| !document.accepts(result.status));
    for result in bad.take(MOST_ANNOTATIONS) {
        writeln!(out, "{}", annotation("error", result))?;
    }
    let odd = document
        .results
        .iter()
        .filter(|result| result.status == Status::Flaky && document.accepts(result.status));
    for result in odd.take(MOST_ANNOTATIONS) {
        writeln!(out, "{}", annotation("warning", result))?;
    }
    Ok(())
}

fn annotation(level: &str, result: &TestResult) -> String {
    let file = property(&result.scenario);
    let title = property(&format!("{} {}", result.status, result.id));
    format!("::{level} file={file},title={title}::{}", data(cause(result)))
}

/// What ends a command or looks like the start of an escape is escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// In a property, its separators too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_cannot_start_a_command_of_its_own() {
        assert_eq!(data("100%\n::error::x"), "100%25%0A::error::x");
        assert_eq!(property("a:b,c"), "a%3Ab%2Cc");
    }
}
