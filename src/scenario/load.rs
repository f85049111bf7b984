//! From a path to a scenario.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::model::Scenario;
use super::parse::parse;
use super::problem::{Problem, Problems};
use super::resolve::resolve;
use super::source::Source;

/// A scenario file is written by people: this many bytes are none.
const MOST_BYTES: u64 = 1 << 20;

/// A scenario and the file that it is from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Unique in a run: the path below the directory that was given, without extension.
    pub id: String,
    /// The file; paths in the scenario are relative to its directory.
    pub path: PathBuf,
    /// The scenario.
    pub scenario: Scenario,
}

/// Loads the scenario file at `path` and checks it.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file. Of what breaks the structure of
/// the file (YAML, unknown keys, wrong types) only the first, as the rest cannot be read then.
pub fn load(path: &Path, id: String) -> Result<Loaded, Vec<Problem>> {
    let source = Arc::new(read(path).map_err(|problem| vec![*problem])?);
    let scenario = check(&source)?;
    Ok(Loaded { id, path: path.to_owned(), scenario })
}

/// The scenario that a text states.
fn check(source: &Arc<Source>) -> Result<Scenario, Vec<Problem>> {
    let keys = parse(source).map_err(|problem| vec![*problem])?;
    let mut problems = Problems::new(Arc::clone(source));
    let scenario = resolve(keys, &mut problems);
    problems.or(scenario)
}

fn read(path: &Path) -> Result<Source, Box<Problem>> {
    let bytes = read_bytes(path)
        .map_err(|error| Box::new(Problem::of_path(path, format!("cannot read it: {error}"))))?;
    if bytes.len() as u64 > MOST_BYTES {
        let message = format!("larger than {} KiB: this is no scenario file", MOST_BYTES >> 10);
        let problem = Problem::of_path(path, message);
        return Err(Box::new(problem.with_help("what a test reads goes into `files`")));
    }
    let name = path.display().to_string();
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source { name, text }),
        Err(error) => Err(not_utf8(name, &error)),
    }
}

/// Reads no more than it takes to see that a file is too large.
fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Points at the first byte that is not UTF-8.
fn not_utf8(name: String, error: &std::string::FromUtf8Error) -> Box<Problem> {
    let good = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
    let before = text.get(..good).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let place = super::Place {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
        length: 0,
    };
    Box::new(Problem {
        file: Arc::new(Source { name, text }),
        place: Some(place),
        message: format!("not UTF-8 at byte {good}"),
        help: Some("save the file as UTF-8".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check_text(text: String) -> Result<Scenario, Vec<Problem>> {
        check(&Arc::new(Source { name: "test.yaml".to_owned(), text }))
    }

    /// Pieces that reach further into the keys than arbitrary characters do.
    fn piece() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "\n",
            "\n  ",
            "\n    ",
            "- ",
            ": ",
            "{",
            "}",
            "[",
            "]",
            ",",
            "&a ",
            "*a",
            "<<: *a",
            "|\n",
            "!!int ",
            "'",
            "\"",
            "\t",
            "#",
            "? ",
            "--- ",
            "\r\n",
            "~",
            "steps:\n  - ",
            "expect:\n  - ",
            "run: [a]",
            "shell: x",
            "id: a",
            "spawn: [a]",
            "wait: {step: a}",
            "sleep: 1s",
            "cel: ",
            "report: panic",
            "where: report",
            "count: '>=1'",
            "timeout: ",
            "30s",
            "1e999s",
            "99999999999999999999999s",
            "18446744073709551615GiB",
            "-1",
            "cpus: ",
            "machine: ",
            "nice: -20",
            "until: 2027-02-30",
            "kernel: '>=6'",
            "config: [CONFIG_]",
            "signal: 65",
            "é",
            "\u{feff}",
            "\u{2028}",
            "mode: '0777'",
            "a.b.c(1)",
            "steps.a",
            "steps['b']",
        ])
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>()) {
            let _ = check_text(text);
        }

        #[test]
        fn no_near_scenario_makes_it_panic(pieces in prop::collection::vec(piece(), 0..40)) {
            if let Err(problems) = check_text(pieces.concat()) {
                for problem in problems {
                    let range = problem.place.map(|place| place.range(&problem.file.text));
                    prop_assert!(range.is_none_or(|range| problem.file.text.get(range).is_some()));
                }
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in any::<Vec<u8>>()) {
            if let Err(error) = String::from_utf8(bytes) {
                let problem = not_utf8("test.yaml".to_owned(), &error);
                prop_assert!(problem.place.is_some());
            }
        }
    }

    #[test]
    fn what_is_resolved_resolves_to_itself() {
        let text = include_str!("../../tests/data/every-key.yaml").to_owned();
        let once = serde_saphyr::to_string(&check_text(text).unwrap()).unwrap();
        let twice = serde_saphyr::to_string(&check_text(once.clone()).unwrap()).unwrap();
        assert_eq!(once, twice);
    }
}
