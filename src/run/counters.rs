//! The guest's counters at one moment.

use std::collections::BTreeMap;

use agent_protocol::Sample;
use serde::{Deserialize, Serialize};

/// Counters of the guest, flat: `meminfo.MemFree` (bytes), `vmstat.pgfault`, `psi.memory.some.avg10` (percent),
/// `psi.cpu.some.total` (microseconds), `loadavg.1`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    /// `CLOCK_BOOTTIME` in milliseconds.
    pub uptime_ms: u64,
    /// Kernel taint mask, `/proc/sys/kernel/tainted`.
    pub taint: u64,
    /// Name to value.
    pub values: BTreeMap<String, f64>,
}

impl From<Sample> for Counters {
    /// What is no number in the texts is left out.
    fn from(sample: Sample) -> Self {
        let mut values = BTreeMap::new();
        for (path, text) in &sample.files {
            match path.as_str() {
                "/proc/meminfo" => meminfo(text, &mut values),
                "/proc/vmstat" => vmstat(text, &mut values),
                "/proc/loadavg" => loadavg(text, &mut values),
                path => {
                    if let Some(resource) = path.strip_prefix("/proc/pressure/") {
                        pressure(resource, text, &mut values);
                    }
                }
            }
        }
        Self { uptime_ms: sample.uptime_ms, taint: sample.taint, values }
    }
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
    fn a_sample_s_texts_are_read_by_the_files_that_they_are_of() {
        let texts = [
            ("/proc/loadavg", "0.50 0.25 0.05 1/80 123\n"),
            ("/proc/vmstat", "pgfault 7\n"),
            ("/proc/pressure/io", "some avg10=1.00 total=2\n"),
            ("/proc/other", "pgfault 8\n"),
        ];
        let files = texts.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
        let counters = Counters::from(Sample { uptime_ms: 1, taint: 2, files });
        assert_eq!((counters.uptime_ms, counters.taint), (1, 2));
        let values: Vec<(&str, f64)> =
            counters.values.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let expected = [
            ("loadavg.1", 0.5),
            ("loadavg.15", 0.05),
            ("loadavg.5", 0.25),
            ("psi.io.some.avg10", 1.0),
            ("psi.io.some.total", 2.0),
            ("vmstat.pgfault", 7.0),
        ];
        assert_eq!(values, expected);
    }
}
