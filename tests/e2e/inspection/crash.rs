//! crash(8) is another opinion, of a kernel that it knows.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::told::{Asked, Told, items};
use crate::bench::{KHARNESS, text};

/// `KHARNESS_CRASH_KERNEL` is what `-k` takes, `=`, and the vmlinux of that kernel; crash is in the PATH, or in the
/// directory that `KHARNESS_CRASH` names.
#[test]
fn crash_reads_the_exported_vmcore() {
    let Some((kernel, vmlinux, path)) = asked() else { return };
    // A kernel of our own has no modules.
    let told = Told::new(&Asked { kernel: Some(kernel), modules: "[]", ..Asked::stock() });
    let said = crash(&told.snapshot(), &vmlinux, &path);
    same_tasks(&told, &said);
    same_stacks(&told, &said);
    same_slabs(&told, &said);
}

/// What to test with; `None`, loudly, where there is none of it.
fn asked() -> Option<(String, PathBuf, OsString)> {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(directory) = std::env::var_os("KHARNESS_CRASH") {
        path = std::env::join_paths(
            [PathBuf::from(directory)].into_iter().chain(std::env::split_paths(&path)),
        )
        .unwrap();
    }
    let there = std::env::split_paths(&path).any(|directory| directory.join("crash").exists());
    let kernel = std::env::var("KHARNESS_CRASH_KERNEL").ok();
    let kernel = kernel.as_deref().and_then(|kernel| kernel.split_once('='));
    match kernel.filter(|_| there) {
        Some((kernel, vmlinux)) => Some((kernel.to_owned(), vmlinux.into(), path)),
        None => {
            eprintln!(
                "NOT TESTED: no crash, or no KHARNESS_CRASH_KERNEL=KERNEL=VMLINUX that it knows"
            );
            None
        }
    }
}

/// What crash answers to our questions.
fn crash(snapshot: &Path, vmlinux: &Path, path: &OsString) -> String {
    let mut inspect = Command::new(KHARNESS);
    inspect.arg("inspect").arg(snapshot).args(["--crash", "--vmlinux"]).arg(vmlinux);
    inspect.env("PATH", path).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = inspect.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"ps\nbt -a\nkmem -s\nquit\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Every task with its address; `>` marks those that run.
fn same_tasks(told: &Told, said: &str) {
    let said: BTreeSet<(String, String)> = said
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.trim_start_matches('>').split_whitespace().collect();
            let [pid, _, _, task, state, ..] = words[..] else { return None };
            let is_task = task.len() == 16 && task.starts_with("ffff") && state.len() == 2;
            (is_task && pid.parse::<u64>().is_ok()).then(|| (pid.to_owned(), format!("0x{task}")))
        })
        .collect();
    let tasks = told.items(&["tasks"]);
    let seen = tasks.iter().map(|task| (task["pid"].to_string(), text(task, "address").to_owned()));
    assert_eq!(seen.collect::<BTreeSet<_>>(), said);
    assert!(said.len() > 40, "{} tasks", said.len());
    println!("{} tasks are the same", said.len());
}

/// What runs on each CPU, and where it is: crash shows what we do, and perhaps more around an interrupt.
fn same_stacks(told: &Told, said: &str) {
    let mut by_task: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut task = String::new();
    for line in said.lines() {
        if let Some((_, rest)) = line.split_once("TASK: ").filter(|_| line.starts_with("PID: ")) {
            task = format!("0x{}", rest.split_whitespace().next().unwrap());
            by_task.entry(task.clone()).or_default();
        } else if let Some((_, rest)) = line.split_once("] ").filter(|_| line.starts_with(" #")) {
            let functions = by_task.get_mut(&task).unwrap();
            functions.push(rest.split([' ', '+']).next().unwrap());
        }
    }
    let running: Vec<Value> = items(&told.snapshot(), &["stack"])
        .into_iter()
        .filter(|entry| entry["task"]["on_cpu"] == true)
        .collect();
    assert_eq!(running.len(), by_task.len(), "{by_task:?}");
    for entry in running {
        let theirs = &by_task[text(&entry["task"], "address")];
        let none = Vec::new();
        let frames = entry["stack"]["frames"].as_array().unwrap_or(&none).iter();
        let ours = frames.map(|frame| text(frame, "symbol").split(['+', ' ']).next().unwrap());
        let missing: Vec<&str> =
            ours.skip(1).filter(|function| !theirs.contains(function)).collect();
        assert!(missing.is_empty(), "only ours: {missing:?} of {entry}; theirs: {theirs:?}");
        println!("{} frames of a running task are the same", theirs.len());
    }
}

/// How many objects each cache has in all; crash counts those on per-CPU lists as allocated, as slabinfo does.
fn same_slabs(told: &Told, said: &str) {
    let seen: BTreeMap<String, Value> = told
        .items(&["slabs"])
        .into_iter()
        .map(|cache| (text(&cache, "name").to_owned(), cache))
        .collect();
    let (mut compared, mut differing) = (0, Vec::new());
    let rows = said.lines().skip_while(|line| !line.starts_with("CACHE ")).skip(1);
    for line in rows {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, size, allocated, total, slabs, _, name] = words[..] else { continue };
        let Some(cache) = seen.get(name) else { panic!("no {name} in memory: {line}") };
        let number = |member: &str| cache[member].as_u64().unwrap();
        compared += 1;
        let [size, allocated, total, slabs] =
            [size, allocated, total, slabs].map(|number| number.parse::<u64>().unwrap());
        let same = number("object_size") == size
            && number("total") == total
            && number("slabs") == slabs
            && number("live") <= allocated;
        if !same {
            differing.push(format!(
                "{line}; ours: {}",
                serde_json::json!([
                    number("object_size"),
                    number("live"),
                    number("total"),
                    number("slabs")
                ])
            ));
        }
    }
    println!("{compared} slab caches compared");
    assert!(compared > 50, "only {compared} caches");
    assert!(differing.is_empty(), "{differing:#?}");
}
