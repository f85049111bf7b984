//! Expectations: exactly one form each.

use crate::scenario::model::{Cel, CelError, Expectation, Form, ReportMatch};
use crate::scenario::problem::Problems;
use crate::scenario::source::Place;
use crate::scenario::written::{ExpectationKeys, FORMS, Given, OF_REPORT, Placed, StringOr, Text};

/// All of a list.
pub fn expectations(
    written: Vec<Placed<StringOr<ExpectationKeys>>>,
    problems: &mut Problems,
) -> Vec<Expectation> {
    written.into_iter().filter_map(|one| expectation(one, problems)).collect()
}

fn expectation(
    written: Placed<StringOr<ExpectationKeys>>,
    problems: &mut Problems,
) -> Option<Expectation> {
    let place = written.place;
    match written.value {
        StringOr::Short(text) => {
            let cel = cel(&text, place, problems)?;
            Some(Expectation { form: Form::Cel(cel), because: None, place })
        }
        StringOr::Full(mut keys) => {
            check_report_keys(&keys, place, problems);
            let because = keys.because.0.take();
            form(&keys, place, problems).map(|form| Expectation { form, because, place })
        }
    }
}

/// `where`, `count` and `function` say which reports are meant; alone they mean nothing.
fn check_report_keys(keys: &ExpectationKeys, place: Place, problems: &mut Problems) {
    let given = [keys.condition.0.is_some(), keys.count.0.is_some(), keys.function.0.is_some()];
    let alone = keys.report.0.is_none();
    for (key, _) in OF_REPORT.iter().zip(given).filter(|(_, given)| *given && alone) {
        problems.add(place, format!("`{key}` says which reports are meant: it goes with `report`"));
    }
}

/// The one form that is given.
fn form(keys: &ExpectationKeys, place: Place, problems: &mut Problems) -> Option<Form> {
    let before = problems.count();
    let mut forms = given_forms(keys, problems);
    let form = forms.pop();
    match (&form, forms.is_empty()) {
        (Some(_), true) => form,
        (Some(_), false) => {
            problems.add_with_help(
                place,
                "several expectations in one",
                "make each an entry of its own",
            );
            None
        }
        (None, _) => {
            // A form that could not be read has been told of already.
            if problems.count() == before {
                problems.add_with_help(
                    place,
                    "nothing is expected",
                    format!("give one of {}", FORMS.join(", ")),
                );
            }
            None
        }
    }
}

fn given_forms(keys: &ExpectationKeys, problems: &mut Problems) -> Vec<Form> {
    let forms = [
        report(keys, problems).map(Form::Report),
        keys.console.read(problems).map(Form::Console),
        keys.no_console.read(problems).map(Form::NoConsole),
        keys.no_reports.0.as_ref().and_then(|it| no_reports(it, problems)),
        keys.exit.0.map(Form::Exit),
        keys.stdout.read(problems).map(Form::Stdout),
        keys.stderr.read(problems).map(Form::Stderr),
        keys.signal.read(problems).map(Form::Signal),
        keys.taint.read(problems).map(Form::Taint),
        keys.stopped.0.map(Form::Stopped),
        given_cel(&keys.cel, problems).map(Form::Cel),
    ];
    forms.into_iter().flatten().collect()
}

fn report(keys: &ExpectationKeys, problems: &mut Problems) -> Option<ReportMatch> {
    Some(ReportMatch {
        kind: keys.report.read(problems)?.0,
        condition: given_cel(&keys.condition, problems),
        function: keys.function.read(problems),
        count: keys.count.read(problems).unwrap_or_default(),
    })
}

fn no_reports(stated: &Placed<bool>, problems: &mut Problems) -> Option<Form> {
    if !stated.value {
        problems.add_with_help(
            stated.place,
            "`no_reports: false` would let every kernel bug pass",
            "expect the report that you mean with `report`, or put it into `allow` with a reason",
        );
    }
    stated.value.then_some(Form::NoReports(true))
}

pub(super) fn given_cel(written: &Given<Text<Cel>>, problems: &mut Problems) -> Option<Cel> {
    let text = written.0.as_ref()?;
    cel(text.as_str(), text.place(), problems)
}

/// Compiles an expression; a mistake is told of at its own place in the file.
fn cel(text: &str, place: Place, problems: &mut Problems) -> Option<Cel> {
    let error = match text.parse::<Cel>() {
        Ok(cel) => return Some(cel),
        Err(error) => error,
    };
    let at = match error {
        CelError::Syntax { line, column, .. } => {
            place.within(&problems.file().text, text, line, column)
        }
        _ => place,
    };
    problems.add(at, error.to_string());
    None
}
