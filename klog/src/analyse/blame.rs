//! Chooses the function that a kernel developer would look at first.

use super::skip::{Skip, is_dispatcher, skips};
use super::stacks::Trace;
use super::{frame, syscall};
use crate::assemble::Line;
use crate::detect::{Headline, Rank, Recipe};
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
        Recipe::Named => named(headline, trace, lines),
        Recipe::Exception => exception(headline, trace),
        Recipe::Trace => leaking_work(headline, lines)
            .or_else(|| trace.and_then(|trace| walk(&trace.stack.frames, skip_of(headline)))),
        Recipe::Stall => trace.and_then(stalled),
        Recipe::Hung => trace.and_then(hung),
        Recipe::Acquirer => acquirer(lines, trace),
        Recipe::Allocation => allocation(headline, traces, lines)
            .or_else(|| trace.and_then(|trace| walk(&trace.stack.frames, Skip::Common))),
        Recipe::Nobody => None,
    };
    Blame {
        function: function.map(|name| syscall::plain_name(&name).into_owned()),
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

/// Whoever takes a lock is to blame for the lock being bad.
fn skip_of(headline: &Headline) -> Skip {
    let family = headline.kind.family();
    match () {
        () if matches!(family, "atomic" | "panic" | "warning") => Skip::Sleep,
        () if family == "debug-objects" => Skip::Objects,
        () => Skip::Locks,
    }
}

/// The first reliable frame worth blaming; the first of any kind where none is reliable.
fn walk(frames: &[Frame], skip: Skip) -> Option<String> {
    // A call that does not return leaves an address behind its function: the next function's first byte.
    let good = |frame: &&Frame| frame.offset != Some(0) && !skips(&frame.function, skip);
    let reliable = frames.iter().filter(|frame| frame.reliable).find(good);
    let any = || frames.iter().find(good);
    reliable.or_else(any).map(|frame| frame.function.clone())
}

/// What a sleeping task was about to do. Whoever waits for all readers of RCU, or for the one lock of all of networking,
/// is one of many that happen to: there, what they wait for says more.
fn hung(trace: &Trace) -> Option<String> {
    const CROWDED: [(&str, &str); 6] = [
        ("rtnl_lock", "rtnl_lock"),
        ("rtnl_lock_killable", "rtnl_lock"),
        ("synchronize_rcu", "synchronize_rcu"),
        ("synchronize_rcu_expedited", "synchronize_rcu"),
        ("synchronize_sched", "synchronize_rcu"),
        ("synchronize_srcu", "synchronize_rcu"),
    ];
    let frames = &trace.stack.frames;
    let known = |frame: &&Frame| frame.reliable || frames.iter().all(|frame| !frame.reliable);
    let crowd = frames.iter().filter(known).find_map(|frame| {
        CROWDED.iter().find(|(name, _)| *name == frame.function).map(|(_, crowd)| *crowd)
    });
    crowd.map(str::to_owned).or_else(|| walk(frames, Skip::Hung))
}

/// The work function that came back with a lock: `     last function: f`, since 6.10 `     preempt=… workfn=f`
/// (`kernel/workqueue.c: process_one_work`).
fn leaking_work(headline: &Headline, lines: &[Line]) -> Option<String> {
    let leak = headline.kind.as_str() == "atomic.workqueue-leak";
    let named = |line: &Line| {
        let text = line.text.trim_start();
        let old = text.strip_prefix("last function: ");
        frame::function_name(old.or_else(|| text.split_once(" workfn=").map(|(_, name)| name))?)
    };
    leak.then(|| lines.iter().find_map(named)).flatten()
}

/// The function that the headline names, or one of its repetitions for inlined functions.
fn named(headline: &Headline, trace: Option<&Trace>, lines: &[Line]) -> Option<String> {
    let skip = skip_of(headline);
    let same = |line: &&Line| {
        line.headline.as_ref().is_some_and(|other| other.kind == headline.kind)
            || headline.rank == Rank::Main
    };
    let names: Vec<&str> = lines
        .iter()
        .filter(same)
        .filter_map(|line| line.headline.as_ref()?.function.as_deref())
        .collect();
    let telling = names.iter().find(|name| !skips(name, skip)).map(|name| (*name).to_owned());
    let last = names.last().copied();
    telling
        .or_else(|| trace.and_then(|trace| walk(below(trace, last), skip)))
        .or_else(|| headline.function.clone())
}

/// The functions of both sides of a data race.
pub(super) fn racing(traces: &[Trace]) -> Vec<String> {
    let sides = traces.iter().filter(|trace| trace.stack.role == StackRole::Access);
    sides.filter_map(|trace| walk(&trace.stack.frames, Skip::Common)).take(2).collect()
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
    let meaningful = pointer.clone().filter(|name| !skips(name, Skip::Locks));
    let caller = || {
        let trace = trace?;
        // Registers above the stack belong to its first frame; without them, they stand in the stack.
        let from = trace.interrupted.filter(|_| trace.pointer.is_none()).unwrap_or(0);
        walk(&trace.stack.frames[from..], Skip::Locks)
    };
    meaningful.or_else(caller).or(pointer)
}

/// A processor that stands still is caught anywhere in its loop; what it was called to do is the same every time. Of a
/// module, which is small, the innermost function tells more.
fn stalled(trace: &Trace) -> Option<String> {
    let frames = &trace.stack.frames;
    let from = trace.interrupted.or(trace.irq_end).or_else(|| after_interrupt(frames)).unwrap_or(0);
    let frames = &frames[from.min(frames.len())..];
    let pointer = trace.pointer.clone().filter(|name| from == 0 && !skips(name, Skip::Stall));
    let own = pointer.clone().filter(|_| trace.pointer_in_module);
    own.or_else(|| module_function(frames))
        .or_else(|| dispatched(pointer.as_deref(), frames))
        .or(pointer)
        .or_else(|| walk(frames, Skip::Stall))
        .or_else(|| trace.pointer.clone())
}

fn module_function(frames: &[Frame]) -> Option<String> {
    let any = frames.iter().any(|frame| frame.reliable);
    let own = |frame: &&Frame| (frame.reliable || !any) && frame.module.is_some();
    let telling = |frame: &&Frame| !skips(&frame.function, Skip::Stall);
    frames.iter().filter(own).find(telling).map(|frame| frame.function.clone())
}

/// The function that one of the kernel's general dispatchers called.
fn dispatched(pointer: Option<&str>, frames: &[Frame]) -> Option<String> {
    let any = frames.iter().any(|frame| frame.reliable);
    let names =
        frames.iter().filter(|frame| frame.reliable || !any).map(|frame| frame.function.as_str());
    let names: Vec<&str> = pointer.into_iter().chain(names).collect();
    let at = names.iter().position(|name| is_dispatcher(name))?;
    let callee = names[..at].iter().rev().find(|name| !skips(name, Skip::Stall))?;
    Some((*callee).to_owned())
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

fn allocation(headline: &Headline, traces: &[Trace], lines: &[Line]) -> Option<String> {
    let named = lines.iter().find_map(|line| {
        let (_, rest) = line.text.split_once("Allocated in ")?;
        frame::function_name(rest.split(' ').next()?)
    });
    let named = named.filter(|name| !skips(name, Skip::Common));
    let frames = || first(traces, StackRole::Allocated).map(|trace| &*trace.stack.frames);
    let leaks = headline.kind.family() == "leak";
    let leaking = || frames().filter(|_| leaks).and_then(|frames| walk(frames, Skip::Leak));
    named.or_else(leaking).or_else(|| walk(frames()?, Skip::Common))
}
