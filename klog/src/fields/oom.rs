//! OOM kills: `mm/oom_kill.c` (`dump_header`, `dump_tasks`, `dump_oom_victim`, `__oom_kill_process`).

use std::collections::BTreeMap;

use serde::Serialize;

use super::text::{hex_after, number_after};

/// An OOM kill.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OomKill {
    /// The task whose allocation failed.
    pub invoker: Option<String>,
    /// The allocation's flags as a number.
    pub gfp_mask: Option<u64>,
    /// The allocation's flags by name.
    pub gfp_flags: Option<String>,
    /// The allocation's order; -1 for a kill by sysrq.
    pub order: Option<i64>,
    /// `CONSTRAINT_NONE`, `CONSTRAINT_MEMCG` and so on.
    pub constraint: Option<String>,
    /// The memory cgroup that was out of memory.
    pub oom_memcg: Option<String>,
    /// The victim's memory cgroup.
    pub task_memcg: Option<String>,
    /// Who was killed.
    pub victim: Option<Victim>,
    /// The table of tasks, a map from column to value for each, in the kernel's words (its columns differ by version).
    pub tasks: Vec<BTreeMap<String, String>>,
    /// The lines of `Mem-Info`.
    pub mem_info: Vec<String>,
}

/// The killed process.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Victim {
    /// Its command name.
    pub comm: String,
    /// Its process id.
    pub pid: u64,
    /// Its user.
    pub uid: Option<u64>,
    /// Its whole address space, in KiB.
    pub total_vm_kib: Option<u64>,
    /// Its resident anonymous memory, in KiB.
    pub anon_rss_kib: Option<u64>,
    /// Its resident file pages, in KiB.
    pub file_rss_kib: Option<u64>,
    /// Its resident shared memory, in KiB.
    pub shmem_rss_kib: Option<u64>,
    /// Its page tables, in KiB.
    pub pgtables_kib: Option<u64>,
    /// The badness that decided, where the kernel prints it (before 5.2).
    pub score: Option<u64>,
    /// Its `oom_score_adj`, -1000 to 1000.
    pub oom_score_adj: Option<i64>,
}

pub(super) fn read(lines: &[&str]) -> Option<OomKill> {
    let head = lines.iter().find(|line| line.contains(" invoked oom-killer: "));
    let summary = lines.iter().find_map(|line| line.strip_prefix("oom-kill:"));
    let item = |key: &str| {
        summary
            .and_then(|line| line.split(',').find_map(|item| item.strip_prefix(key)))
            .map(str::to_owned)
    };
    let kill = OomKill {
        invoker: head.and_then(|line| line.split_once(" invoked")).map(|(comm, _)| comm.to_owned()),
        gfp_mask: head.and_then(|line| hex_after(line, "gfp_mask=")),
        gfp_flags: head
            .and_then(|line| crate::detect::text::between(line, "(", ")"))
            .map(str::to_owned),
        order: head.and_then(|line| signed_after(line, "order=")),
        constraint: item("constraint="),
        oom_memcg: item("oom_memcg="),
        task_memcg: item("task_memcg="),
        victim: lines.iter().find_map(|line| victim(line)),
        tasks: tasks(lines),
        mem_info: mem_info(lines),
    };
    (kill != OomKill::default()).then_some(kill)
}

fn signed_after(text: &str, label: &str) -> Option<i64> {
    let (_, rest) = text.split_once(label)?;
    let len = rest.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..len].parse().ok()
}

/// `Out of memory: Killed process 42 (hog) total-vm:…kB, …`; before 5.2 the sizes follow on a line of their own.
fn victim(line: &str) -> Option<Victim> {
    let at = line.find("Killed process ").or_else(|| line.find("Kill process "))?;
    let rest = line[at..].split_once("process ")?.1;
    let (pid, rest) = rest.split_once(' ')?;
    let close = rest.find(") ").or_else(|| rest.rfind(')'))?;
    Some(Victim {
        comm: rest.get(1..close)?.to_owned(),
        pid: pid.trim_end_matches(',').parse().ok()?,
        uid: number_after(rest, "UID:"),
        total_vm_kib: number_after(rest, "total-vm:"),
        anon_rss_kib: number_after(rest, "anon-rss:"),
        file_rss_kib: number_after(rest, "file-rss:"),
        shmem_rss_kib: number_after(rest, "shmem-rss:"),
        pgtables_kib: number_after(rest, "pgtables:"),
        score: number_after(rest, "score "),
        oom_score_adj: signed_after(rest, "oom_score_adj:"),
    })
}

/// The rows below `[  pid  ]   uid  tgid …`: the header names the columns, the first two stand in brackets and behind.
fn tasks(lines: &[&str]) -> Vec<BTreeMap<String, String>> {
    let header = lines.iter().position(|line| {
        line.starts_with('[') && line.contains(" pid ") && line.contains("oom_score_adj")
    });
    let Some(header) = header else { return Vec::new() };
    let columns: Vec<&str> =
        lines[header].split(['[', ']', ' ']).filter(|word| !word.is_empty()).collect();
    let row = |line: &&&str| line.starts_with('[');
    lines[header + 1..].iter().take_while(row).map(|line| cells(&columns, line)).collect()
}

/// A row's values; the last column is the name and takes the rest.
fn cells(columns: &[&str], line: &str) -> BTreeMap<String, String> {
    let values = line.split(['[', ']', ' ']).filter(|word| !word.is_empty());
    let mut cells = BTreeMap::new();
    for (index, value) in values.enumerate() {
        let Some(column) = columns.get(index).or(columns.last()) else { break };
        let cell: &mut String = cells.entry((*column).to_owned()).or_default();
        if !cell.is_empty() {
            cell.push(' ');
        }
        cell.push_str(value);
    }
    cells
}

fn mem_info(lines: &[&str]) -> Vec<String> {
    let Some(begin) = lines.iter().position(|line| *line == "Mem-Info:") else { return Vec::new() };
    let over = |line: &&&str| {
        !line.starts_with("Tasks state") && !line.starts_with('[') && !line.starts_with("oom-kill:")
    };
    lines[begin + 1..].iter().take(200).take_while(over).map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_victim_is_read_in_both_formats() {
        let new = victim("Out of memory: Killed process 42 (my hog) total-vm:1000kB, anon-rss:900kB, file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:48kB oom_score_adj:-5").unwrap();
        assert_eq!((new.comm.as_str(), new.pid, new.anon_rss_kib), ("my hog", 42, Some(900)));
        assert_eq!((new.oom_score_adj, new.uid), (Some(-5), Some(0)));
        let old =
            victim("Out of memory: Kill process 42 (hog) score 901 or sacrifice child").unwrap();
        assert_eq!((old.pid, old.score), (42, Some(901)));
    }

    #[test]
    fn the_table_follows_its_header() {
        let lines = [
            "[  pid  ]   uid  tgid total_vm      rss oom_score_adj name",
            "[     42]     0    42   250000   225000             0 my hog",
        ];
        assert_eq!(tasks(&lines)[0]["rss"], "225000");
        assert_eq!(tasks(&lines)[0]["name"], "my hog");
    }
}
