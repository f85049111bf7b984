//! From a path to a scenario.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::allowed::add_lists;
use super::base::add_base;
use super::model::{Cell, Scenario};
use super::parse::parse;
use super::problem::{Problem, Problems};
use super::resolve::resolve;
use super::source::Source;

/// A scenario file is written by people: this many bytes are none.
const MOST_BYTES: u64 = 1 << 20;

/// A scenario and the file that it is from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Unique in a run: the path below the directory that was given, without extension, and the cell.
    pub id: String,
    /// The cell of its matrix; empty where there is none.
    pub cell: Cell,
    /// The file; paths in the scenario are relative to its directory.
    pub path: PathBuf,
    /// The scenario.
    pub scenario: Scenario,
}

impl Loaded {
    fn new(id: &str, path: &Path, (cell, scenario): (Cell, Scenario)) -> Self {
        Self { id: format!("{id}{cell}"), cell, path: path.to_owned(), scenario }
    }

    /// What paths in the scenario are relative to.
    pub fn base(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// The same in the cell without `axis`.
    #[must_use]
    pub fn without_axis(self, axis: &str) -> Self {
        let id = self.id.strip_suffix(&self.cell.to_string()).unwrap_or(&self.id);
        let cell = self.cell.without(axis);
        Self { id: format!("{id}{cell}"), cell, ..self }
    }
}

/// Loads the scenario file at `path` and checks it. Gives it once for each cell of its matrix.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file. Of what breaks the structure of
/// the file (YAML, unknown keys, wrong types) only the first, as the rest cannot be read then.
pub fn load(path: &Path, id: &str) -> Result<Vec<Loaded>, Vec<Problem>> {
    let source = Arc::new(read(path).map_err(|problem| vec![*problem])?);
    let base = path.parent().unwrap_or(Path::new(""));
    let mut cells = check(&source)?;
    let row: Vec<PathBuf> = path.canonicalize().into_iter().collect();
    for (_, scenario) in &mut cells {
        add_lists(scenario, &source, base)?;
        add_base(scenario, &source, base, &row)?;
    }
    Ok(cells.into_iter().map(|cell| Loaded::new(id, path, cell)).collect())
}

/// The scenario that the harness has in itself as `text`; none if that is wrong.
pub fn built_in(id: &str, text: &str) -> Option<Loaded> {
    let source = Arc::new(Source { name: id.to_owned(), text: text.to_owned() });
    let first = check(&source).ok()?.into_iter().next()?;
    Some(Loaded::new(id, Path::new(id), first))
}

/// The scenario that a text states, in each cell.
pub(super) fn check(source: &Arc<Source>) -> Result<Vec<(Cell, Scenario)>, Vec<Problem>> {
    let keys = parse(source).map_err(|problem| vec![*problem])?;
    let mut problems = Problems::new(Arc::clone(source));
    let cells = resolve(keys, &mut problems);
    problems.or(cells)
}

/// The text of the file at `path`.
pub(super) fn read(path: &Path) -> Result<Source, Box<Problem>> {
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

    fn check_text(text: String) -> Result<Vec<(Cell, Scenario)>, Vec<Problem>> {
        check(&Arc::new(Source { name: "test.yaml".to_owned(), text }))
    }

    /// Ids of the cells, or the first thing that is wrong.
    fn cells(text: &str) -> Result<Vec<String>, String> {
        let cells = check_text(format!("expect: ['true']\n{text}"));
        cells
            .map(|cells| cells.iter().map(|(cell, _)| cell.to_string()).collect())
            .map_err(|problems| problems[0].message.clone())
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
            "matrix:\n  ",
            "cpus: [1, 2]",
            "exclude: [{cpus: 1}]",
            "params: {m.n: [1]}",
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
        let resolved = |text| serde_saphyr::to_string(&check_text(text).unwrap()[0].1).unwrap();
        let once = resolved(text);
        assert_eq!(once, resolved(once.clone()));
    }

    #[test]
    fn every_combination_is_a_cell_but_the_excluded_ones() {
        let text = "matrix:\n  memory: [256MiB, 1GiB]\n  cpus: [1, 2]\n  \
                    exclude: [{cpus: 1, memory: 1GiB}]\n  include: [{cpus: 8}]\n";
        let expected = [
            "[cpus=1,memory=256MiB]",
            "[cpus=2,memory=256MiB]",
            "[cpus=2,memory=1GiB]",
            "[cpus=8]",
        ];
        assert_eq!(cells(text).unwrap(), expected);
    }

    #[test]
    fn a_cell_changes_kernel_machine_and_parameters_and_nothing_else() {
        let text = "machine: {cmdline: quiet, cpus: 3}\nmodules: [{name: m, params: {a: 1}}]\nexpect: ['true']\n\
                    matrix:\n  kernel: [debug]\n  machine: [{memory: 1GiB}]\n  cmdline: [nosmp]\n  params: {m.b: [x]}\n";
        let (cell, scenario) = check_text(text.to_owned()).unwrap().remove(0);
        assert_eq!(cell.words(), "kernel=debug,machine=1GiB,cmdline=nosmp,m.b=x");
        assert_eq!(scenario.kernel.as_deref(), Some("debug"));
        assert_eq!((scenario.machine.cpus, scenario.machine.memory.0), (3, 1 << 30));
        assert_eq!(scenario.machine.cmdline, "quiet nosmp");
        let params: Vec<_> =
            scenario.modules[0].params.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(params, ["a=1", "b=x"]);
    }

    #[test]
    fn a_matrix_that_makes_no_sense_is_refused() {
        for (text, told) in [
            ("matrix: {}", "the matrix has no cells"),
            ("matrix: {cpus: []}", "an axis without values leaves the matrix without cells"),
            ("matrix: {cpus: [1, 1]}", "a second value `1` on this axis"),
            ("matrix: {cpus: [65]}", "a machine has 1 to 64 CPUs, not 65"),
            ("matrix: {cpus: [1], exclude: [{cpus: 1}]}", "the matrix has no cells"),
            ("matrix: {cpus: [1], exclude: [{cpus: 2}]}", "the axis `cpus` has no value `2`"),
            ("matrix: {cpus: [1], exclude: [{board: virt}]}", "the matrix has no axis `board`"),
            (
                "matrix: {machine: [q35]}",
                "`q35` is no machine: there are x86-64, aarch64, virt, raspi3b, raspi4b",
            ),
            (
                "matrix: {cpus: [1], exclude: [{}]}",
                "an entry that names no value excludes everything",
            ),
            (
                "matrix: {cpus: [1], include: [{cpus: 1}]}",
                "this cell is there without being included",
            ),
            ("matrix: {params: {m.n: [1]}}", "the scenario loads no module `m`"),
            ("matrix: {params: {m: [1]}}", "`m` is not a parameter: write MODULE.NAME"),
            ("matrix: {machine: [{}]}", "an entry without keys is no machine"),
            ("matrix: {cpu: [1]}", "unknown key `cpu`"),
        ] {
            assert_eq!(cells(text).unwrap_err(), told, "{text}");
        }
        let axis = (1..=64).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
        let large = format!(
            "matrix: {{cpus: [{axis}], memory: [64MiB, 65MiB, 66MiB, 67MiB, 68MiB, 69MiB, 70MiB, 71MiB, 72MiB, 73MiB, 74MiB, 75MiB, 76MiB, 77MiB, 78MiB, 79MiB]}}"
        );
        assert_eq!(cells(&large).unwrap_err(), "the matrix has more than 1000 cells");
    }
}
