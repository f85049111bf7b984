//! Timers, workqueues, sysctls, lock classes, areas of processes and types as text.

use std::io::{self, Write};

use inspect::state::{LockClass, Mapping, Sysctl, Taint, Timer, Workqueue};
use inspect::types::Definition;
use serde_json::Value;

use super::table::{self, Align::Left, Align::Right};

pub fn timers(out: &mut impl Write, timers: &[Timer]) -> io::Result<()> {
    let row = |timer: &Timer| {
        [
            timer.cpu.to_string(),
            timer.clock.to_owned(),
            timer.expires.to_string(),
            timer.address.to_string(),
            timer.function.clone(),
        ]
    };
    let rows: Vec<_> = timers.iter().map(row).collect();
    let columns =
        [("CPU", Right), ("CLOCK", Left), ("EXPIRES", Right), ("TIMER", Left), ("FUNCTION", Left)];
    table::write(out, columns, &rows)
}

pub fn workqueues(out: &mut impl Write, queues: &[Workqueue]) -> io::Result<()> {
    let row = |queue: &Workqueue| {
        [
            queue.name.clone(),
            queue.active.to_string(),
            queue.pending.len().to_string(),
            queue.running.len().to_string(),
            queue.address.to_string(),
            queue.flags.join(" "),
        ]
    };
    let rows: Vec<_> = queues.iter().map(row).collect();
    let columns = [
        ("WORKQUEUE", Left),
        ("ACTIVE", Right),
        ("PENDING", Right),
        ("RUNNING", Right),
        ("ADDRESS", Left),
        ("FLAGS", Left),
    ];
    table::write(out, columns, &rows)?;
    for queue in queues {
        for work in &queue.running {
            let (pid, comm) = (work.pid, &work.comm);
            writeln!(out, "{}: {pid} {comm} runs {} {}", queue.name, work.function, work.address)?;
        }
        for work in &queue.pending {
            let place = match work.cpu {
                ..0 => String::new(),
                cpu => format!(" on CPU {cpu}"),
            };
            writeln!(out, "{}: {} {} waits{place}", queue.name, work.function, work.address)?;
        }
    }
    Ok(())
}

/// As sysctl(8) prints them; what need not be what `/proc/sys` shows has a `~`.
pub fn sysctls(out: &mut impl Write, sysctls: &[Sysctl]) -> io::Result<()> {
    for sysctl in sysctls {
        let Some(value) = shown(&sysctl.value) else { continue };
        let sign = if sysctl.exact { "=" } else { "~" };
        writeln!(out, "{} {sign} {value}", sysctl.name)?;
    }
    Ok(())
}

fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(numbers) => {
            Some(numbers.iter().map(Value::to_string).collect::<Vec<_>>().join("\t"))
        }
        other => Some(other.to_string()),
    }
}

pub fn lock_classes(out: &mut impl Write, classes: &[LockClass]) -> io::Result<()> {
    for class in classes {
        let LockClass { address, name, usage, after, before } = class;
        writeln!(out, "{address} {name} ({}), {before} before", usage.join(" "))?;
        for name in after {
            writeln!(out, "    -> {name}")?;
        }
    }
    Ok(())
}

pub fn maps(out: &mut impl Write, maps: &[Mapping]) -> io::Result<()> {
    let row = |area: &Mapping| {
        [
            format!("{:x}-{:x}", area.start.0, area.end.0),
            area.permissions.clone(),
            format!("{:08x}", area.offset.0),
            area.mapped_kib.to_string(),
            area.file.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = maps.iter().map(row).collect();
    let columns =
        [("AREA", Left), ("PERM", Left), ("OFFSET", Right), ("MAPPED KIB", Right), ("FILE", Left)];
    table::write(out, columns, &rows)
}

pub fn taint(out: &mut impl Write, taint: &Taint) -> io::Result<()> {
    match taint.bits {
        0 => writeln!(out, "not tainted"),
        bits => writeln!(out, "{bits} {}", taint.letters),
    }
}

/// Offsets in front, as pahole(1) has them behind.
pub fn definitions(out: &mut impl Write, types: &Vec<Definition>) -> io::Result<()> {
    for definition in types {
        writeln!(out, "{} {{ /* {} bytes */", definition.name, definition.size)?;
        for member in &definition.members {
            let bits = member.bits.map_or_else(String::new, |(_, width)| format!(" : {width}"));
            let place = match member.bits {
                Some((bit, _)) => format!("{}.{bit}", member.offset),
                None => member.offset.to_string(),
            };
            writeln!(out, "{place:>8}  {} {}{bits};", member.ty, member.name)?;
        }
        for named in &definition.enumerators {
            writeln!(out, "    {} = {},", named.name, named.value)?;
        }
        writeln!(out, "}}")?;
    }
    Ok(())
}
