//! What inspection reads against what the guest said, subsystem by subsystem.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::memory;
use super::told::{Told, items};
use crate::bench::{KHARNESS, text};

/// Everything that can be compared is the same.
pub fn same(told: &Told) {
    same_tasks(told);
    same_modules(told);
    same_log(told);
    same_stacks(told);
    memory::same(told);
    same_run_queues(told);
    same_sysctls(told);
    same_maps(told);
    same_timers(told);
    same_lock_classes(told);
    the_vmcore_says_the_same(told);
    the_compressed_dump_says_the_same(told);
}

/// Kernel threads come and go with the work there is; all others are the same.
fn same_tasks(told: &Told) {
    let seen: BTreeMap<i64, String> = told
        .items(&["tasks"])
        .iter()
        .map(|task| (task["pid"].as_i64().unwrap(), text(task, "comm").to_owned()))
        .collect();
    let mut compared = 0;
    for line in told.lines("TASK") {
        let (pid, rest) = line.split_once(" (").unwrap();
        let (comm, rest) = rest.rsplit_once(") ").unwrap();
        let parent = rest.split(' ').nth(1).unwrap();
        let lasts = parent == "2" && !comm.starts_with("kworker") || pid == "1" || pid == "2";
        if lasts {
            // `task_struct.comm` has 15 bytes; for kernel threads /proc knows more.
            let comm = &comm[..comm.len().min(15)];
            assert_eq!(seen.get(&pid.parse().unwrap()).map(String::as_str), Some(comm), "{line}");
            compared += 1;
        }
    }
    assert!(compared > 15, "only {compared} tasks last");
}

fn same_modules(told: &Told) {
    let seen: BTreeSet<(String, u64)> = told
        .items(&["modules"])
        .iter()
        .map(|module| (text(module, "name").to_owned(), module["size"].as_u64().unwrap()))
        .collect();
    let said: BTreeSet<(String, u64)> = told
        .lines("MODULE")
        .iter()
        .map(|line| {
            let mut words = line.split(' ');
            (words.next().unwrap().to_owned(), words.next().unwrap().parse().unwrap())
        })
        .collect();
    assert_eq!(seen, said);
    assert!(!said.is_empty());
}

fn same_log(told: &Told) {
    let seen: Vec<String> = told
        .items(&["dmesg"])
        .iter()
        .flat_map(|record| text(record, "text").lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let said: Vec<&str> =
        told.lines("LOG").iter().filter_map(|line| Some(line.split_once("] ")?.1)).collect();
    assert!(said.len() > 100, "{} lines", said.len());
    let differing: Vec<_> = said.iter().zip(&seen).filter(|(said, seen)| **said != *seen).collect();
    assert!(differing.is_empty(), "{differing:?}");
}

/// The stack of a thread that has slept all the time contains what the guest saw of it, unbroken.
fn same_stacks(told: &Told) {
    let mut said: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for line in told.lines("STACK") {
        let (pid, frame) = line.split_once(" [<0>] ").unwrap();
        let function = frame.split(['+', ' ']).next().unwrap().to_owned();
        said.entry(pid.parse().unwrap()).or_default().push(function);
    }
    let mut differing = Vec::new();
    let mut compared = 0;
    for entry in told.items(&["stack"]) {
        let pid = entry["task"]["pid"].as_i64().unwrap();
        let Some(wanted) = said.get(&pid) else { continue };
        let none = Vec::new();
        let frames = entry["stack"]["frames"].as_array().unwrap_or(&none);
        let seen: Vec<&str> = frames
            .iter()
            .map(|frame| text(frame, "symbol").split(['+', ' ']).next().unwrap())
            .collect();
        compared += 1;
        if !seen.windows(wanted.len()).any(|window| window == &wanted[..]) {
            differing.push((pid, wanted, seen.join(" < ")));
        }
    }
    assert!(compared > 15, "only {compared} stacks");
    // A thread may have moved on between its words and the snapshot.
    assert!(differing.len() * 10 <= compared, "{} of {compared}: {differing:#?}", differing.len());
}

/// Switches of each CPU go up until the guest stops, but not by much.
fn same_run_queues(told: &Told) {
    let queues = told.items(&["runqueues"]);
    let said = told.lines("SWITCHES");
    let counts: Vec<u64> = said
        .iter()
        .filter(|line| line.contains("nr_switches"))
        .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(counts.len(), said.iter().filter(|line| line.starts_with("cpu#")).count());
    // A kernel without CONFIG_SCHED_DEBUG says nothing.
    assert!(counts.is_empty() || counts.len() == queues.len(), "{said:?}");
    for (queue, said) in queues.iter().zip(counts) {
        let seen = queue["nr_switches"].as_u64().unwrap();
        assert!((said..said + 3000).contains(&seen), "{said} switches, then {queue}");
    }
    println!("{} of {} run queues say how often they switched", said.len() / 2, queues.len());
    let idle = |queue: &Value| queue["current_pid"] == 0;
    assert!(queues.iter().all(|queue| idle(queue) == (queue["nr_running"] == 0)), "{queues:#?}");
}

fn the_vmcore_says_the_same(told: &Told) {
    let comm = |task: &Value| (task["pid"].clone(), task["comm"].clone());
    let from_dump: BTreeSet<String> =
        items(&told.vmcore(), &["tasks"]).iter().map(|task| format!("{:?}", comm(task))).collect();
    let from_snapshot: BTreeSet<String> =
        told.items(&["tasks"]).iter().map(|task| format!("{:?}", comm(task))).collect();
    let differing: Vec<_> = from_dump.symmetric_difference(&from_snapshot).collect();
    assert!(differing.len() <= 4, "{differing:?}");
}

/// Everything that is read from a compressed dump is what the snapshot has that it is made of.
fn the_compressed_dump_says_the_same(told: &Told) {
    let packed = told.packed();
    for view in ["tasks", "slabs", "dmesg", "stack", "zones", "modules", "locks"] {
        let of = |path: &Path| {
            let output = Command::new(KHARNESS).arg("inspect").arg(path).arg(view).output();
            String::from_utf8(output.unwrap().stdout).unwrap()
        };
        assert_eq!(of(&packed), of(&told.snapshot()), "{view}");
    }
}

/// Every value that is said to be what `/proc/sys` shows is that, but for those that change by themselves.
fn same_sysctls(told: &Told) {
    let said: BTreeMap<String, String> = told
        .lines("SYSCTL")
        .iter()
        .filter_map(|line| line.strip_prefix("/proc/sys/")?.split_once(':'))
        .map(|(path, value)| (path.replace('/', "."), value.to_owned()))
        .collect();
    let mut differing = Vec::new();
    let mut compared = 0;
    for sysctl in told.items(&["sysctl"]) {
        let name = text(&sysctl, "name");
        let Some(said) = said.get(name).filter(|_| sysctl["exact"] == true) else { continue };
        compared += 1;
        let seen = match &sysctl["value"] {
            Value::String(value) => value.lines().last().unwrap_or_default().to_owned(),
            Value::Array(values) => {
                values.iter().map(Value::to_string).collect::<Vec<_>>().join("\t")
            }
            value => value.to_string(),
        };
        if seen != *said && !name.starts_with("kernel.random.") && name != "kernel.ns_last_pid" {
            differing.push((name.to_owned(), seen, said));
        }
    }
    assert!(compared > 100, "only {compared} sysctls");
    assert!(differing.is_empty(), "{differing:#?}");
}

/// The areas of a process that only sleeps.
fn same_maps(told: &Told) {
    let said: Vec<String> = told
        .lines("MAPS")
        .iter()
        .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
        // The vsyscall page is in no process: /proc makes it up.
        .filter(|line| !line.starts_with("ffffffffff600000"))
        .collect();
    let sleeper = told.lines("SLEEPER")[0];
    let areas = told.items(&["maps", sleeper]);
    let hex = |area: &Value, name: &str| text(area, name).trim_start_matches("0x").to_owned();
    let seen: Vec<String> = areas
        .iter()
        .map(|area| {
            let (start, end) = (hex(area, "start"), hex(area, "end"));
            format!("{start:0>8}-{end:0>8} {}", text(area, "permissions"))
        })
        .collect();
    assert_eq!(seen, said);
    assert!(areas.iter().any(|area| area["mapped_kib"].as_u64() > Some(0)), "{areas:?}");
    let path = told.lines("MAPS")[0].split_whitespace().last().unwrap();
    assert!(areas.iter().any(|area| area["file"] == path), "no {path} in {areas:?}");
}

/// The timer that drives a CPU's ticks is always there; most others come and go.
fn same_timers(told: &Told) {
    let seen: BTreeSet<String> = told
        .items(&["timers"])
        .iter()
        .filter(|timer| timer["kind"] == "hrtimer")
        .map(|timer| text(timer, "function").to_owned())
        .collect();
    let said: BTreeSet<&str> =
        told.lines("TIMER").iter().filter_map(|line| line.split(", ").nth(1)).collect();
    // Kernels without CONFIG_DEBUG_TIMERS have no addresses there, but all have the names.
    let common = said.iter().filter(|name| seen.contains(**name)).count();
    assert!(common > 0, "{said:?} and {seen:?} have nothing in common");
}

/// Classes of locks and what was taken inside of them, as `/proc/lockdep` has them.
fn same_lock_classes(told: &Told) {
    let said = told.lines("LOCKDEP");
    if said.is_empty() {
        return;
    }
    let seen: BTreeSet<String> = told
        .items(&["lockdep"])
        .iter()
        .flat_map(|class| {
            let name = text(class, "name").to_owned();
            let after = class["after"].as_array().unwrap().iter();
            let after: Vec<_> =
                after.map(|it| format!("{name} -> {}", it.as_str().unwrap())).collect();
            [vec![name], after].concat()
        })
        .collect();
    let mut class = "";
    let mut missing = Vec::new();
    let mut compared = 0;
    for line in said {
        // `FD: 1 BD: 2 +.+.: name`, then ` -> [address] name` for each one inside.
        let edge = match (line.strip_prefix(" -> ["), line.split_once("BD:")) {
            (Some(inner), _) => {
                format!("{class} -> {}", inner.split_once("] ").map_or("", |(_, name)| name))
            }
            (None, Some((_, rest))) => {
                class = rest.split_once(": ").map_or("", |(_, name)| name);
                class.to_owned()
            }
            (None, None) => continue,
        };
        compared += 1;
        if !seen.contains(&edge) {
            missing.push(edge);
        }
    }
    assert!(compared > 300, "only {compared} lines");
    // The kernel prints some names of keys in another way.
    assert!(missing.len() * 50 < compared, "{} of {compared}: {missing:#?}", missing.len());
}
