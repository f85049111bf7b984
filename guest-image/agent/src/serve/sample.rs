//! The guest's counters at one moment.

use std::fs;

use agent_protocol::{COUNTER_FILES, Failure, Sample};
use rustix::time::{ClockId, clock_gettime};

use crate::failure::{Context, failure};

/// Takes one sample. Files that a kernel lacks (such as PSI's) are left out.
pub fn take() -> Result<Sample, Failure> {
    let text = |path: &str| Some((path.to_owned(), fs::read_to_string(path).ok()?));
    let files = COUNTER_FILES.into_iter().filter_map(text).collect();
    Ok(Sample { uptime_ms: uptime_ms(), taint: taint()?, files })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_can_be_sampled() {
        let sample = take().unwrap();
        assert!(sample.files["/proc/meminfo"].contains("MemTotal"));
        assert!(sample.files["/proc/vmstat"].contains("pgfault"));
        assert!(sample.files.contains_key("/proc/loadavg"));
    }
}
