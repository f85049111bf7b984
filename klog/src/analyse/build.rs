//! Puts a report together.

use std::collections::BTreeMap;

use super::blame::{self, Blame};
use super::machine::{self, Identity};
use super::stacks::{self, Trace};
use super::{corruption, fingerprint, frame};
use crate::assemble::{Draft, Line};
use crate::detect::{self, Headline, Proof, Rank, Recipe};
use crate::{Fields, Frame, Report, fields};

/// The report that the lines of `draft` make; none if they make no report after all.
pub(crate) fn report(draft: &Draft) -> Option<Report> {
    let headline = leading(&draft.lines)?;
    let traces = stacks::find(&draft.lines);
    let proved = match headline.proof {
        Proof::Stack => is_proved(&draft.lines),
        Proof::Line | Proof::Stamp => {
            !traces.is_empty()
                || draft.lines.iter().any(|line| machine::identity(&line.text).is_some())
        }
    };
    let believed = match headline.proof {
        Proof::Line => true,
        Proof::Stamp => draft.stamped,
        Proof::Stack => false,
    };
    if !proved && (!believed || draft.doubtful) {
        return None;
    }
    Some(assemble(draft, &headline, &traces))
}

/// Whether a stack or registers stand close behind a headline: another's stack comes later.
fn is_proved(lines: &[Line]) -> bool {
    const CLOSE: usize = 12;
    let shows = |line: &Line| {
        machine::identity(&line.text).is_some()
            || machine::instruction_pointer(&line.text).is_some()
            || frame::parse(&line.text).is_some()
    };
    let headlines = lines.iter().enumerate().filter(|(_, line)| line.headline.is_some());
    headlines.map(|(at, _)| at).any(|at| lines[at + 1..].iter().take(CLOSE).any(shows))
}

fn assemble(draft: &Draft, headline: &Headline, traces: &[Trace]) -> Report {
    let Blame { function, frames } = blame::blame(headline, traces, &draft.lines);
    let fields = fields::read(&headline.kind, &draft.lines);
    let title = match headline.kind.family() {
        "kcsan" => race_title(headline, traces),
        _ => title(headline, &fields, function.as_deref()),
    };
    let identity = identity(&draft.lines);
    let corruption = corruption::find(draft, headline, traces, function.as_deref());
    Report {
        fingerprint: fingerprint::fingerprint(
            &headline.kind,
            &title,
            &frames,
            fingerprint::depth(headline.recipe),
        ),
        class: headline.kind.class(),
        kind: headline.kind.clone(),
        title,
        function,
        frames,
        stacks: traces.iter().map(|trace| trace.stack.clone()).collect(),
        fields,
        task: identity.task,
        cpu: identity.cpu,
        taint: identity.taint,
        kernel: identity.kernel,
        build_id: identity.build_id,
        instruction_pointer: draft.lines.iter().find_map(|line| pointer(&line.text)),
        registers: registers(&draft.lines),
        code: draft.lines.iter().find_map(|line| machine::code(&line.text)).map(str::to_owned),
        corrupted: corruption.is_some(),
        corruption,
        panic: panic(&draft.lines),
        consequence_of: None,
        timestamp_us: draft.timestamp_us,
        start: draft.start,
        end: draft.end,
    }
}

/// The headline that decides, with the kind of the message in front of it where there is one.
fn leading(lines: &[Line]) -> Option<Headline> {
    let headlines = || lines.iter().filter_map(|line| line.headline.as_ref());
    let of = |rank: Rank| headlines().find(|headline| headline.rank == rank);
    let main = of(Rank::Main).or_else(|| of(Rank::Die));
    // Without a victim there is no kill to tell of, only the panic.
    let main =
        main.filter(|main| main.kind.as_str() != "oom.no-victim" || of(Rank::Panic).is_none());
    let Some(lead) = of(Rank::Lead) else {
        return main.or_else(|| of(Rank::Panic)).or_else(|| of(Rank::Note)).cloned();
    };
    let Some(main) = main else { return Some(lead.clone()) };
    Some(Headline {
        kind: lead.kind.clone(),
        title: lead.title.clone(),
        proof: Proof::Line,
        ..main.clone()
    })
}

/// The headline's words, the way of the access where KASAN says it on another line, and the function.
fn title(headline: &Headline, fields: &Fields, function: Option<&str>) -> String {
    let mut title = headline.title.clone();
    if headline.kind.family() == "kasan"
        && let Fields::Access(access) = fields
    {
        title.push_str(access.write.map_or("", |write| if write { " Write" } else { " Read" }));
    }
    let whole = headline.recipe == Recipe::Nobody
        || matches!(headline.kind.family(), "kcsan" | "memory" | "panic");
    match function {
        Some(function) if !whole => format!("{title} in {function}"),
        _ => title,
    }
}

/// Both functions in the order of their names, because which of them reports is chance.
fn race_title(headline: &Headline, traces: &[Trace]) -> String {
    let (what, _) = headline.title.split_once(" in ").unwrap_or((&headline.title, ""));
    let mut functions = blame::racing(traces);
    if functions.is_empty() {
        return headline.title.clone();
    }
    functions.sort();
    format!("{what} in {}", functions.join(" / "))
}

fn identity(lines: &[Line]) -> Identity {
    lines.iter().find_map(|line| machine::identity(&line.text)).unwrap_or_default()
}

/// The frame of a line that shows the instruction pointer, with its module.
fn pointer(text: &str) -> Option<Frame> {
    let symbol = machine::instruction_pointer(detect::text::without_subsystem(text))?;
    let (_, rest) = text.split_once(symbol)?;
    frame::parse(&format!("{symbol}{rest}"))
}

fn registers(lines: &[Line]) -> BTreeMap<String, u64> {
    let mut registers = BTreeMap::new();
    for line in lines {
        machine::registers(&line.text, &mut registers);
    }
    registers
}

fn panic(lines: &[Line]) -> Option<String> {
    lines.iter().find_map(|line| detect::panic_reason(&line.text)).map(str::to_owned)
}
