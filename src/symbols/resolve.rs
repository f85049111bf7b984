//! Gives a report's frames their source lines.

use klog::{Frame, Report};

use super::{Place, Symbols, Within};

/// Adds source lines and inlined functions to the frames of `report`. Says why not, where the symbols are of another
/// kernel: then nothing is added.
pub fn resolve(symbols: &Symbols, report: &mut Report) -> Option<String> {
    if let Some(why) = other_kernel(symbols, report) {
        return Some(why);
    }
    let exact = report.instruction_pointer.clone();
    let mut wrong = None;
    for frames in all_frames(report) {
        *frames = with_lines(symbols, frames, exact.as_ref(), &mut wrong);
    }
    if let Some(pointer) = report.instruction_pointer.take() {
        let lines = with_lines(symbols, std::slice::from_ref(&pointer), Some(&pointer), &mut wrong);
        let innermost = lines.first().and_then(|frame| frame.location.clone());
        report.instruction_pointer = Some(Frame { location: innermost, ..pointer });
    }
    wrong.map(|wrong| {
        format!("{wrong} is of another build than the log's, so its lines are not shown")
    })
}

fn all_frames(report: &mut Report) -> impl Iterator<Item = &mut Vec<Frame>> {
    let stacks = report.stacks.iter_mut().map(|stack| &mut stack.frames);
    std::iter::once(&mut report.frames).chain(stacks)
}

/// The report's kernel is named by its build ID, or by its release, a blank, and its build.
fn other_kernel(symbols: &Symbols, report: &Report) -> Option<String> {
    if let (Some(printed), Some(own)) = (report.build_id.as_deref(), symbols.build_id()) {
        return (printed != own).then(|| {
            format!("the report is of the kernel with build ID {printed}, the vmlinux has {own}: its lines are not shown")
        });
    }
    let (kernel, release) = (report.kernel.as_deref()?, symbols.release()?);
    let printed = kernel.split(' ').next()?;
    (printed != release).then(|| {
        format!(
            "the report is of kernel {printed}, the vmlinux of {release}: its lines are not shown"
        )
    })
}

fn with_lines(
    symbols: &Symbols,
    frames: &[Frame],
    exact: Option<&Frame>,
    wrong: &mut Option<String>,
) -> Vec<Frame> {
    frames.iter().flat_map(|frame| located(symbols, frame, exact, wrong)).collect()
}

/// The frame, behind those that were inlined in it.
fn located(
    symbols: &Symbols,
    frame: &Frame,
    exact: Option<&Frame>,
    wrong: &mut Option<String>,
) -> Vec<Frame> {
    let within = Within { module: frame.module.as_deref(), build_id: frame.build_id.as_deref() };
    let place = match (frame.offset, frame.size) {
        (Some(offset), Some(size)) if frame.location.is_none() => {
            symbols.place(within, &frame.symbol, looked_up(frame, offset, exact), size)
        }
        _ => Place::Unknown,
    };
    match place {
        Place::Lines(lines) => inlined(frame, lines),
        Place::OtherBuild => {
            wrong.get_or_insert_with(|| of_what(frame));
            vec![frame.clone()]
        }
        Place::Unknown => vec![frame.clone()],
    }
}

/// A return address stands behind the call, which may be the last instruction of its line.
fn looked_up(frame: &Frame, offset: u64, exact: Option<&Frame>) -> u64 {
    let same =
        exact.is_some_and(|exact| exact.symbol == frame.symbol && exact.offset == frame.offset);
    if same { offset } else { offset.saturating_sub(1) }
}

/// The file that does not fit.
fn of_what(frame: &Frame) -> String {
    let Frame { function, module, .. } = frame;
    module.as_ref().map_or_else(
        || format!("the vmlinux, by the size of its `{function}`,"),
        |module| format!("the module {module} (`{function}`)"),
    )
}

fn inlined(frame: &Frame, lines: Vec<(String, Option<String>)>) -> Vec<Frame> {
    let outermost = lines.len() - 1;
    let one = |(index, (name, location)): (usize, (String, Option<String>))| {
        if index == outermost {
            return Frame { location, ..frame.clone() };
        }
        let function = klog::analyse::frame::function_name(&name).unwrap_or(name.clone());
        Frame {
            function,
            symbol: name,
            offset: None,
            size: None,
            location,
            inlined: true,
            ..frame.clone()
        }
    };
    lines.into_iter().enumerate().map(one).collect()
}
