//! The interactive prompt: one view or expression a line.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{CommandFactory, Parser};
use inspect::Kernel;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Context, Editor, Helper};

use super::command::{Shower, View};
use crate::error::Failure;
use crate::exit::Exit;

/// Lines kept from one session to the next.
const HISTORY: usize = 1000;

/// A line that names a view.
#[derive(Debug, Parser)]
#[command(name = "", no_binary_name = true, disable_version_flag = true)]
struct Line {
    #[command(subcommand)]
    view: View,
}

/// Reads lines until the end of input, and answers each.
///
/// # Errors
/// When the terminal fails.
pub fn run(kernel: &Kernel) -> Result<Exit, Failure> {
    let failed = |error: ReadlineError| Failure::new(Exit::Harness, error);
    let config = rustyline::Config::builder().max_history_size(HISTORY).map_err(failed)?.build();
    let mut editor: Editor<Completion, DefaultHistory> =
        Editor::with_config(config).map_err(failed)?;
    editor.set_helper(Some(Completion { kernel, views: view_names() }));
    let history = history_file();
    if let Some(path) = &history {
        // There is none before the first session.
        let _ = editor.load_history(path);
    }
    println!("Linux {}: a view (`help`) or an expression; Tab completes", kernel.release());
    loop {
        match editor.readline("inspect> ") {
            Ok(line) if line.trim() == "quit" || line.trim() == "exit" => break,
            Ok(line) => {
                // A line that cannot be kept is no reason not to answer it.
                let _ = editor.add_history_entry(line.as_str());
                answer(kernel, line.trim())?;
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(failed(error)),
        }
    }
    if let Some(path) = &history {
        let _ = editor.save_history(path);
    }
    Ok(Exit::Good)
}

/// Shows what a line asks for; what is wrong with it is told, and the prompt goes on.
fn answer(kernel: &Kernel, line: &str) -> io::Result<()> {
    if line.is_empty() {
        return Ok(());
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    let shown = match view(line) {
        Ok(view) => Shower::new(&mut out, false).view(kernel, &view).map_err(|it| it.words()),
        Err(help) => Err(help),
    };
    match shown {
        Ok(()) => {}
        Err(why) => writeln!(out, "{}", why.trim_end())?,
    }
    out.flush()
}

/// The view that a line names; a line that names none is an expression.
fn view(line: &str) -> Result<View, String> {
    let words = shlex::split(line).ok_or("a quote is not closed")?;
    let first = words.first().map_or("", String::as_str);
    if first != "help" && !view_names().iter().any(|name| name == first) {
        return Ok(View::Print { expressions: vec![line.to_owned()] });
    }
    Line::try_parse_from(words).map(|line| line.view).map_err(|error| error.to_string())
}

fn view_names() -> Vec<String> {
    Line::command().get_subcommands().map(|view| view.get_name().to_owned()).collect()
}

/// Below the user's state directory (XDG Base Directory Specification).
fn history_file() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?
        .join("kharness");
    std::fs::create_dir_all(&state).ok()?;
    Some(state.join("inspect-history"))
}

/// Completes views at the start of a line, symbols and members everywhere.
struct Completion<'a> {
    kernel: &'a Kernel,
    views: Vec<String>,
}

impl Completer for Completion<'_> {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let text = &line[..position];
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let start = text.rfind(|c| !is_word(c)).map_or(0, |at| at + 1);
        let mut found = self.kernel.complete(text.trim_start_matches("print "));
        if start == 0 {
            let views = self.views.iter().filter(|view| view.starts_with(&text[start..]));
            found.splice(0..0, views.cloned());
        }
        Ok((start, found))
    }
}

impl Hinter for Completion<'_> {
    type Hint = String;
}
impl Highlighter for Completion<'_> {}
impl Validator for Completion<'_> {}
impl Helper for Completion<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_names_no_view_is_an_expression() {
        assert!(matches!(view("tasks --state D"), Ok(View::Tasks { .. })));
        assert!(matches!(view("init_task.comm"), Ok(View::Print { .. })));
        assert!(view("tasks --nonsense").unwrap_err().contains("nonsense"));
        assert!(view("help").unwrap_err().contains("tasks"));
    }
}
