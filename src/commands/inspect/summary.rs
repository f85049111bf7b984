//! The summary as text.

use std::io::{self, Write};

use inspect::state::Summary;

use super::text;

pub fn write(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    write_state(out, summary)?;
    writeln!(out, "\nLast of the log:")?;
    text::log(out, &summary.log)?;
    for broke in &summary.broke_at {
        writeln!(out, "broke at {}: {}", broke.at, broke.why)?;
    }
    Ok(())
}

/// All but the log.
pub fn write_state(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    heading(out, summary)?;
    for cycle in &summary.deadlocks {
        writeln!(out)?;
        text::deadlock(out, cycle)?;
    }
    section(out, "Running", &summary.running)?;
    section(out, "In uninterruptible sleep", &summary.uninterruptible)
}

fn heading(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    let Summary { release, arch, cpus, tasks, .. } = summary;
    writeln!(
        out,
        "Linux {release} ({arch}), {cpus} CPUs, {} MiB, {tasks} tasks",
        summary.memory >> 20
    )?;
    if let Some(reason) = &summary.reason {
        writeln!(out, "Stopped: {reason}")?;
    }
    match &summary.taint {
        Some(taint) if taint.bits != 0 => writeln!(out, "Tainted: {}", taint.letters),
        Some(_) => writeln!(out, "Not tainted"),
        None => Ok(()),
    }
}

fn section(
    out: &mut impl Write,
    name: &str,
    tasks: &[inspect::state::TaskStack],
) -> io::Result<()> {
    if tasks.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{name}:")?;
    tasks.iter().try_for_each(|entry| text::stack(out, entry))
}
