//! Counters of the host, as procfs has them (proc(5), Documentation/accounting/psi.rst,
//! Documentation/scheduler/sched-stats.rst). What a host does not offer is absent, not zero.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Processes looked at in one pass; a harness with more children than this has other troubles.
const MOST_PROCESSES: usize = 4096;

/// CPU time of a thread, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CpuTime {
    /// On a CPU.
    pub ran: u64,
    /// Runnable and waiting for a CPU.
    pub waited: u64,
}

/// CPU times of all threads of this process and its descendants, by thread id.
pub fn family() -> BTreeMap<u32, CpuTime> {
    let mut times = BTreeMap::new();
    let mut open = vec![std::process::id()];
    let mut looked_at = 0;
    while let Some(process) = open.pop() {
        looked_at += 1;
        if looked_at > MOST_PROCESSES {
            break;
        }
        for thread in threads(process) {
            let task = format!("/proc/{process}/task/{thread}");
            if let Some(time) = schedstat(&text(format!("{task}/schedstat"))) {
                times.insert(thread, time);
            }
            open.extend(numbers::<u32>(&text(format!("{task}/children"))));
        }
    }
    times
}

fn threads(process: u32) -> Vec<u32> {
    let listing = fs::read_dir(format!("/proc/{process}/task"));
    let entries = listing.into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn numbers<T: std::str::FromStr>(text: &str) -> impl Iterator<Item = T> {
    text.split_ascii_whitespace().filter_map(|word| word.parse().ok())
}

/// `RAN WAITED SLICES`, nanoseconds.
fn schedstat(text: &str) -> Option<CpuTime> {
    let mut fields = numbers(text);
    Some(CpuTime { ran: fields.next()?, waited: fields.next()? })
}

/// CPU time of all of the host and the part of it that was stolen, in ticks.
pub fn steal() -> Option<(u64, u64)> {
    cpu_line(&text("/proc/stat"))
}

/// The first line of /proc/stat: `cpu user nice system idle iowait irq softirq steal guest …`.
/// Guest time is counted in `user` already.
fn cpu_line(stat: &str) -> Option<(u64, u64)> {
    let fields: Vec<u64> = numbers(stat.lines().next()?.strip_prefix("cpu ")?).collect();
    let steal = *fields.get(7)?;
    Some((fields.iter().take(8).sum(), steal))
}

/// Memory that the host can still give to programs, in bytes.
pub fn available_memory() -> Option<u64> {
    mem_available(&text("/proc/meminfo"))
}

/// `MemAvailable` of /proc/meminfo (proc_meminfo(5)).
fn mem_available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Load average of the last minute.
pub fn load() -> Option<f64> {
    numbers(&text("/proc/loadavg")).next()
}

/// Microseconds since boot in which no task could run for want of memory.
pub fn memory_stall() -> Option<u64> {
    psi_total(&text("/proc/pressure/memory"), "full")
}

fn psi_total(pressure: &str, row: &str) -> Option<u64> {
    let line = pressure.lines().find(|line| line.starts_with(row))?;
    line.split_ascii_whitespace().find_map(|word| word.strip_prefix("total=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_the_eighth_column_and_guest_time_is_not_counted_twice() {
        assert_eq!(cpu_line("cpu  10 1 5 80 2 1 1 50 7 0\ncpu0 …"), Some((150, 50)));
        assert_eq!(cpu_line("cpu  10 1 5"), None);
    }

    #[test]
    fn a_pressure_row_is_found_by_its_name() {
        let text = "some avg10=0.00 avg60=0.00 avg300=0.00 total=11\n\
                    full avg10=0.00 avg60=0.00 avg300=0.00 total=22\n";
        assert_eq!(psi_total(text, "full"), Some(22));
        assert_eq!(psi_total("", "full"), None);
    }

    #[test]
    fn the_family_has_this_process_in_it() {
        assert!(family().contains_key(&std::process::id()));
    }

    #[test]
    fn available_memory_is_read_in_bytes() {
        assert_eq!(mem_available("MemTotal: 9 kB\nMemAvailable:     4 kB\n"), Some(4096));
        assert_eq!(mem_available("MemTotal: 9 kB\n"), None);
    }
}
