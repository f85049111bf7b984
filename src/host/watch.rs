//! Adds up, for the time of a run, what CPU time the harness and its guests had and wanted.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, available_parallelism};
use std::time::{Duration, Instant};

use super::procfs::{self, CpuTime};
use crate::results::HostLoad;

/// A guest's counters go with its process, so they are read while it lives, this often.
const PERIOD: Duration = Duration::from_millis(500);

/// Looks at the host from time to time until it is dropped.
pub struct Watch {
    totals: Arc<Mutex<Totals>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The host at one moment.
pub struct Mark {
    at: Instant,
    family: CpuTime,
    steal: Option<(u64, u64)>,
    memory_us: Option<u64>,
}

#[derive(Default)]
struct Totals {
    threads: BTreeMap<u32, CpuTime>,
    sum: CpuTime,
}

impl Totals {
    /// Counts what every thread gained since it was last seen; a new one starts from zero.
    fn update(&mut self, threads: BTreeMap<u32, CpuTime>) {
        for (thread, now) in &threads {
            let before = self.threads.get(thread).copied().unwrap_or_default();
            // Less than before: another thread that was given the same number.
            let before = if now.ran < before.ran { CpuTime::default() } else { before };
            self.sum.ran += now.ran - before.ran;
            self.sum.waited += now.waited.saturating_sub(before.waited);
        }
        self.threads = threads;
    }
}

impl Watch {
    /// Begins to watch.
    pub fn start() -> Self {
        let totals = Arc::new(Mutex::new(Totals::default()));
        let (stop, stopped) = channel();
        let shared = Arc::clone(&totals);
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                update(&shared);
            }
        });
        Self { totals, stop: Some(stop), thread: Some(thread) }
    }

    /// The host as it is now.
    pub fn mark(&self) -> Mark {
        Mark {
            at: Instant::now(),
            family: update(&self.totals),
            steal: procfs::steal(),
            memory_us: procfs::memory_stall(),
        }
    }

    /// What the host gave since `before`.
    pub fn since(&self, before: &Mark) -> HostLoad {
        let now = self.mark();
        let wall = now.at.duration_since(before.at);
        let nanoseconds = u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX);
        let ran = now.family.ran - before.family.ran;
        let waited = now.family.waited - before.family.waited;
        let grown = |(all, part): (u64, u64), (all0, part0): (u64, u64)| {
            percent(part.saturating_sub(part0), all.saturating_sub(all0))
        };
        let steal = now.steal.zip(before.steal).map(|(now, before)| grown(now, before));
        let memory = now.memory_us.zip(before.memory_us).map(|(now, before)| {
            percent(now.saturating_sub(before).saturating_mul(1000), nanoseconds)
        });
        HostLoad {
            load_per_cpu: load_per_cpu().unwrap_or_default(),
            steal_percent: steal.unwrap_or_default(),
            cpu_wait_percent: percent(waited, nanoseconds),
            cpu_denied_percent: percent(waited, ran.saturating_add(waited)),
            memory_stall_percent: memory.unwrap_or_default(),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A watcher that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

/// Load average of the last minute for each CPU.
pub fn load_per_cpu() -> Option<f64> {
    let cpus = available_parallelism().map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(1));
    procfs::load().map(|load| load / f64::from(cpus))
}

fn update(totals: &Mutex<Totals>) -> CpuTime {
    let threads = procfs::family();
    let mut totals = totals.lock().unwrap_or_else(PoisonError::into_inner);
    totals.update(threads);
    totals.sum
}

/// `part` of `all` in percent, to a tenth; 0 of nothing.
fn percent(part: u64, all: u64) -> f64 {
    let tenths = u128::from(part) * 1000 / u128::from(all.max(1));
    f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(ran: u64, waited: u64) -> CpuTime {
        CpuTime { ran, waited }
    }

    #[test]
    fn time_of_threads_that_have_ended_is_kept() {
        let mut totals = Totals::default();
        totals.update([(1, time(10, 5)), (2, time(100, 0))].into());
        totals.update([(1, time(20, 6))].into());
        assert_eq!(totals.sum, time(120, 6));
    }

    #[test]
    fn a_thread_number_that_is_used_again_starts_from_zero() {
        let mut totals = Totals::default();
        totals.update([(1, time(100, 50))].into());
        totals.update([(1, time(10, 5))].into());
        assert_eq!(totals.sum, time(110, 55));
    }

    #[test]
    fn a_busy_harness_is_seen_to_run() {
        let watch = Watch::start();
        let before = watch.mark();
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(50) {}
        let ran = watch.mark().family.ran - before.family.ran;
        assert!(ran > 1_000_000, "{ran} ns");
        assert!(watch.since(&before).cpu_denied_percent <= 100.0);
    }
}
