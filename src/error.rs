//! The edge: what people see when something goes wrong.

use std::fmt;
use std::io::Write;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
};

use crate::exit::Exit;
use crate::scenario::Problem;
use crate::scenario::discover::Selection;

/// Why a command ended without doing its work.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    diagnostics: Vec<Shown>,
}

impl Failure {
    /// A message, and the exit code that it stands for.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, diagnostics: vec![Shown::plain(format!("kharness: {message}"))] }
    }

    /// The same words under another exit code.
    pub fn with_exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// Nothing to do.
    pub fn nothing_selected(selection: &Selection) -> Self {
        Self::new(Exit::Nothing, format!("nothing selected: {selection}"))
    }

    /// What went wrong, a line a mistake.
    pub fn words(&self) -> String {
        let lines: Vec<&str> = self.diagnostics.iter().map(|it| it.headline.as_str()).collect();
        lines.join("\n")
    }

    /// Tells people, on standard error.
    pub fn report(&self, color: bool) -> Exit {
        for diagnostic in &self.diagnostics {
            // With no one left to tell, the exit code still tells it.
            let _ = std::io::stderr().write_all(diagnostic.render(color).as_bytes());
        }
        self.exit
    }
}

/// Mistakes in scenario files.
impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        Self { exit: Exit::Usage, diagnostics: problems.iter().map(Shown::from).collect() }
    }
}

/// Standard output that cannot be written is a failure of the host.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Harness, format!("cannot write the output: {error}"))
    }
}

/// A message as miette draws it. Its first line is `file:line:column: message` and nothing else,
/// so that editors and people can jump.
#[derive(Debug)]
struct Shown {
    headline: String,
    help: Option<String>,
    excerpt: Option<(NamedSource<String>, LabeledSpan)>,
}

impl Shown {
    fn plain(headline: String) -> Self {
        Self { headline, help: None, excerpt: None }
    }

    fn render(&self, color: bool) -> String {
        let mut theme =
            if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        theme.characters.error = String::new();
        let handler = GraphicalReportHandler::new_themed(theme).with_wrap_lines(false);
        let mut text = String::new();
        match handler.render_report(&mut text, self) {
            Ok(()) => text.trim_start().to_owned(),
            Err(fmt::Error) => format!("{}\n", self.headline),
        }
    }
}

impl From<&Problem> for Shown {
    fn from(problem: &Problem) -> Self {
        let Problem { file, place, message, help } = problem;
        let headline = match place {
            Some(place) => format!("{}:{place}: {message}", file.name),
            None => format!("{}: {message}", file.name),
        };
        let excerpt = place.map(|place| {
            let label = LabeledSpan::new_with_span(None, place.range(&file.text));
            (NamedSource::new(&file.name, file.text.clone()), label)
        });
        Self { headline, help: help.clone(), excerpt }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline)
    }
}

impl std::error::Error for Shown {}

impl Diagnostic for Shown {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.as_ref().map(|(source, _)| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, label) = self.excerpt.as_ref()?;
        Some(Box::new(std::iter::once(label.clone())))
    }
}
