//! The guest's counters at one moment.

use std::collections::BTreeMap;
use std::fs;

use agent_protocol::{Failure, Sample};
use rustix::time::{ClockId, clock_gettime};

use crate::failure::{Context, failure};

/// Takes one sample. Files that a kernel lacks (such as PSI's) are left out.
pub fn take() -> Result<Sample, Failure> {
    let mut values = BTreeMap::new();
    meminfo(&text("/proc/meminfo"), &mut values);
    vmstat(&text("/proc/vmstat"), &mut values);
    loadavg(&text("/proc/loadavg"), &mut values);
    for resource in ["cpu", "memory", "io"] {
        pressure(resource, &text(&format!("/proc/pressure/{resource}")), &mut values);
    }
    Ok(Sample { uptime_ms: uptime_ms(), taint: taint()?, values })
}

/// `CLOCK_BOOTTIME` in milliseconds.
pub fn uptime_ms() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds * 1000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000
}

fn taint() -> Result<u64, Failure> {
    const PATH: &str = "/proc/sys/kernel/tainted";
    let text = fs::read_to_string(PATH).context(|| format!("cannot read {PATH}"))?;
    let mask = text.trim().parse();
    mask.map_err(|_| failure(format!("{PATH} is not a number: {text:?}")))
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// `MemFree:  1234 kB`, or without a unit.
fn meminfo(text: &str, values: &mut BTreeMap<String, f64>) {
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(name), Some(value)) = (words.next(), words.next()) else {
            continue;
        };
        let scale = if words.next() == Some("kB") { 1024.0 } else { 1.0 };
        if let Ok(value) = value.parse::<f64>() {
            values.insert(format!("meminfo.{}", name.trim_end_matches(':')), value * scale);
        }
    }
}

/// `pgfault 1234`.
fn vmstat(text: &str, values: &mut BTreeMap<String, f64>) {
    for line in text.lines() {
        if let Some((name, value)) = line.split_once(' ')
            && let Ok(value) = value.parse()
        {
            values.insert(format!("vmstat.{name}"), value);
        }
    }
}

/// `0.00 0.01 0.05 1/80 123`.
fn loadavg(text: &str, values: &mut BTreeMap<String, f64>) {
    for (minutes, word) in [1, 5, 15].iter().zip(text.split_whitespace()) {
        if let Ok(value) = word.parse() {
            values.insert(format!("loadavg.{minutes}"), value);
        }
    }
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, and `full …`
/// (Documentation/accounting/psi.rst).
fn pressure(resource: &str, text: &str, values: &mut BTreeMap<String, f64>) {
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some(share) = words.next() else { continue };
        for word in words {
            if let Some((name, value)) = word.split_once('=')
                && let Ok(value) = value.parse()
            {
                values.insert(format!("psi.{resource}.{share}.{name}"), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_in_bytes_and_counts_stay_counts() {
        let mut values = BTreeMap::new();
        meminfo("MemFree:   12 kB\nHugePages_Total:   3\nbroken\n", &mut values);
        assert_eq!(values["meminfo.MemFree"], 12288.0);
        assert_eq!(values["meminfo.HugePages_Total"], 3.0);
        assert_eq!(values.len(), 2);
    }

    #[test]
    fn pressure_has_a_name_for_each_window() {
        let mut values = BTreeMap::new();
        pressure("memory", "some avg10=1.50 total=7\nfull avg10=0.25 total=3\n", &mut values);
        assert_eq!(values["psi.memory.some.avg10"], 1.5);
        assert_eq!(values["psi.memory.full.total"], 3.0);
    }

    #[test]
    fn this_kernel_can_be_sampled() {
        let sample = take().unwrap();
        assert!(sample.values["meminfo.MemTotal"] > 0.0);
        assert!(sample.values.contains_key("vmstat.pgfault"));
        assert!(sample.values.contains_key("loadavg.15"));
    }
}
