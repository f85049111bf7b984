//! Chooses the function that a kernel developer would look at first.

use super::skip::{Skip, skips};
use super::stacks::Trace;
use super::{frame, syscall};
use crate::assemble::Line;
use crate::detect::{Headline, Recipe};
use crate::{Frame, StackRole};

/// The function to blame, and the stack it was found in.
#[derive(Clone, Debug, Default)]
pub(super) struct Blame {
    pub function: Option<String>,
    pub frames: Vec<Frame>,
}

/// Follows the headline's recipe.
pub(super) fn blame(headline: &Headline, traces: &[Trace], lines: &[Line]) -> Blame {
    let trace = chosen(headline, traces);
    let function = match headline.recipe {
        Recipe::Named => named(headline, trace, skip_of(headline)),
        Recipe::Exception => exception(headline, trace),
        Recipe::Trace => trace.and_then(|trace| walk(&trace.stack.frames, skip_of(headline))),
        Recipe::Stall => trace.and_then(stalled),
        Recipe::Hung => trace.and_then(|trace| walk(&trace.stack.frames, Skip::Sleep)),
        Recipe::Acquirer => acquirer(lines, trace),
        Recipe::Allocation => allocation(traces, lines)
            .or_else(|| trace.and_then(|trace| walk(&trace.stack.frames, Skip::Common))),
        Recipe::Nobody => None,
    };
    Blame {
        function: function.map(|name| syscall::plain_name(&name).to_owned()),
        frames: trace.map(|trace| trace.stack.frames.clone()).unwrap_or_default(),
    }
}

/// The stack that shows the culprit.
fn chosen<'a>(headline: &Headline, traces: &'a [Trace]) -> Option<&'a Trace> {
    let raised = || first(traces, StackRole::Trace).or_else(|| first(traces, StackRole::Access));
    // A stall may show the waiting kernel thread first; a processor that was asked shows its registers.
    let asked = || traces.iter().find(|trace| trace.pointer.is_some());
    let stalled = headline.recipe == Recipe::Stall;
    let stack = if stalled { raised().or_else(asked) } else { raised() };
    stack.or(traces.first())
}

fn first(traces: &[Trace], role: StackRole) -> Option<&Trace> {
    traces.iter().find(|trace| trace.stack.role == role)
}

/// Reports about locks and contexts blame who uses the lock.
fn skip_of(headline: &Headline) -> Skip {
    let family = headline.kind.family();
    let locks = matches!(
        family,
        "lockdep" | "atomic" | "warning" | "spinlock" | "rwlock" | "rwsem" | "mutex"
    );
    match () {
        () if family == "atomic" => Skip::Sleep,
        () if locks => Skip::Locks,
        () => Skip::Common,
    }
}

/// The first reliable frame worth blaming; the first of any kind where none is reliable.
fn walk(frames: &[Frame], skip: Skip) -> Option<String> {
    let good = |frame: &&Frame| !skips(&frame.function, skip);
    let reliable = frames.iter().filter(|frame| frame.reliable).find(good);
    let any = || frames.iter().find(good);
    reliable.or_else(any).map(|frame| frame.function.clone())
}

fn named(headline: &Headline, trace: Option<&Trace>, skip: Skip) -> Option<String> {
    let name = headline.function.clone();
    let meaningful = name.clone().filter(|name| !skips(name, skip));
    meaningful
        .or_else(|| trace.and_then(|trace| walk(below(trace, name.as_deref()), skip)))
        .or(name)
}

/// The frames from where the reported function stands, where it does.
fn below<'a>(trace: &'a Trace, name: Option<&str>) -> &'a [Frame] {
    let frames = &trace.stack.frames;
    let at = name
        .and_then(|name| frames.iter().position(|frame| frame.reliable && frame.function == name));
    &frames[at.or(trace.interrupted).unwrap_or(0).min(frames.len())..]
}

fn exception(headline: &Headline, trace: Option<&Trace>) -> Option<String> {
    let pointer =
        trace.and_then(|trace| trace.pointer.clone()).or_else(|| headline.function.clone());
    let meaningful = pointer.clone().filter(|name| !skips(name, Skip::Common));
    meaningful
        .or_else(|| {
            trace.and_then(|trace| {
                walk(
                    &trace.stack.frames
                        [trace.interrupted.unwrap_or(0).min(trace.stack.frames.len())..],
                    Skip::Common,
                )
            })
        })
        .or(pointer)
}

fn stalled(trace: &Trace) -> Option<String> {
    let frames = &trace.stack.frames;
    let from = trace.interrupted.or_else(|| after_interrupt(frames));
    let pointer = trace.pointer.clone().filter(|name| !skips(name, Skip::Stall));
    match from {
        Some(from) => walk(&frames[from.min(frames.len())..], Skip::Stall).or(pointer),
        None => pointer.or_else(|| walk(frames, Skip::Stall)),
    }
    .or_else(|| trace.pointer.clone())
}

/// Index behind the last frame of an interrupt's entry.
fn after_interrupt(frames: &[Frame]) -> Option<usize> {
    const ENTRIES: [&str; 7] = [
        "asm_sysvec_apic_timer_interrupt",
        "apic_timer_interrupt",
        "el1_irq",
        "el1h_64_irq",
        "ret_from_intr",
        "asm_common_interrupt",
        "__irq_svc",
    ];
    let entry = frames.iter().position(|frame| ENTRIES.contains(&frame.function.as_str()))?;
    Some(entry + 1)
}

/// The place of the lock line behind `is trying to acquire lock:` and its like, then the backtrace.
fn acquirer(lines: &[Line], trace: Option<&Trace>) -> Option<String> {
    const ASKS: [&str; 6] = [
        "is trying to acquire",
        "is trying to lock",
        " takes:",
        "is trying to release lock",
        "is trying to contend lock",
        "lock held by ",
    ];
    let ask = lines.iter().position(|line| ASKS.iter().any(|ask| line.text.contains(ask)));
    let place =
        ask.and_then(|ask| lines[ask + 1..].iter().take(3).find_map(|line| lock_place(&line.text)));
    let meaningful = place.clone().filter(|name| !skips(name, Skip::Sleep));
    meaningful.or_else(|| trace.and_then(|trace| walk(&trace.stack.frames, Skip::Sleep))).or(place)
}

/// The function of `…, at: f+0x1/0x2`, with or without an address in between.
fn lock_place(message: &str) -> Option<String> {
    let place = message.rsplit_once("at: ").map(|(_, place)| place).unwrap_or(message);
    frame::parse(place).map(|frame| frame.function)
}

fn allocation(traces: &[Trace], lines: &[Line]) -> Option<String> {
    let named = lines.iter().find_map(|line| {
        let (_, rest) = line.text.split_once("Allocated in ")?;
        frame::function_name(rest.split(' ').next()?)
    });
    let named = named.filter(|name| !skips(name, Skip::Common));
    named.or_else(|| {
        first(traces, StackRole::Allocated)
            .and_then(|trace| walk(&trace.stack.frames, Skip::Common))
    })
}
