//! `kh-latency`: how late a sleeping task wakes up.
//!
//! One thread for each CPU sleeps until a stated moment, reads the clock, and sleeps until the next
//! one, a fixed interval later: the method of cyclictest.

use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use agent_protocol::Sched;
use rustix::thread::{ClockId, clock_nanosleep_absolute};
use rustix::time::{Timespec, clock_gettime};
use serde_json::{Value, json};

use crate::failure::Context;
use crate::sched;
use crate::workload::options::Options;
use crate::workload::run::Stopped;
use crate::workload::spin::task;
use crate::workload::units;

/// What the command line states.
pub const USAGE: &str = "--for TIME [--interval TIME] [--cpu N]... [--task POLICY]
  on each stated CPU (default 0) one thread of that policy (default other) wakes up at every
  interval (default 10ms); prints for each CPU how late that was, in microseconds
  POLICY: as for kh-spin, without deadline";

/// A hundred wake-ups a second load no machine.
const INTERVAL: Duration = Duration::from_millis(10);

/// Wake-ups that one thread measures at most: 8 bytes are kept of each.
const MAX_WAKEUPS: u32 = 1_000_000;

/// Runs the workload.
pub fn run(options: &mut Options) -> Result<(), Stopped> {
    let time = options.value("--for", units::duration)?;
    let interval = options.value("--interval", units::duration)?.unwrap_or(INTERVAL);
    let mut cpus = options.values("--cpu", units::count)?;
    let policy = options.value("--task", task::parse)?;
    options.end()?;
    let time = time.ok_or_else(|| Stopped::Usage("--for is missing".into()))?;
    let wakeups = wakeups(time, interval)?;
    if cpus.is_empty() {
        cpus.push(0);
    }
    let threads = cpus.into_iter().map(|cpu| {
        let sched = Sched { cpus: Some(vec![cpu]), ..policy.clone().unwrap_or_default() };
        start(cpu, sched, interval, wakeups)
    });
    // All threads run before the first is waited for.
    let threads = threads.collect::<Result<Vec<_>, Stopped>>()?;
    for thread in threads {
        let line = thread.join().map_err(|_| Stopped::Refused("a thread panicked".into()))??;
        println!("{line}");
    }
    Ok(())
}

/// How many whole intervals `time` has.
fn wakeups(time: Duration, interval: Duration) -> Result<u32, Stopped> {
    let wakeups = time.as_nanos().checked_div(interval.as_nanos());
    let wakeups = wakeups.and_then(|wakeups| u32::try_from(wakeups).ok());
    wakeups.filter(|wakeups| (1..=MAX_WAKEUPS).contains(wakeups)).ok_or_else(|| {
        Stopped::Usage(format!("--for has to be 1 to {MAX_WAKEUPS} times the interval"))
    })
}

fn start(
    cpu: u32,
    sched: Sched,
    interval: Duration,
    wakeups: u32,
) -> Result<JoinHandle<Result<Value, Stopped>>, Stopped> {
    let work = move || {
        let applied = sched::apply_to_thread(0, &sched);
        applied.map_err(|failure| Stopped::Refused(failure.message))?;
        Ok(summary(cpu, measure(interval, wakeups)?))
    };
    let thread = Builder::new().stack_size(64 << 10).spawn(work);
    let thread = thread.context(|| "cannot start a thread".to_owned());
    thread.map_err(|failure| Stopped::Refused(failure.message))
}

/// Nanoseconds from the stated moment to the wake-up, of each wake-up.
fn measure(interval: Duration, wakeups: u32) -> Result<Vec<u64>, Stopped> {
    let mut late = Vec::with_capacity(wakeups as usize);
    let start = now();
    for number in 1..=wakeups {
        let moment = start + interval * number;
        sleep_until(moment)?;
        let nanos = now().saturating_sub(moment).as_nanos();
        late.push(u64::try_from(nanos).unwrap_or(u64::MAX));
    }
    Ok(late)
}

fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanos)
}

/// A signal ends the sleep early, and changes nothing in when it is to end.
fn sleep_until(moment: Duration) -> Result<(), Stopped> {
    let request = Timespec::try_from(moment)
        .map_err(|_| Stopped::Usage("--for ends after the end of time".into()))?;
    loop {
        match clock_nanosleep_absolute(ClockId::Monotonic, &request) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Stopped::Refused(format!("cannot sleep: {error}"))),
            Ok(()) => return Ok(()),
        }
    }
}

fn summary(cpu: u32, mut late: Vec<u64>) -> Value {
    late.sort_unstable();
    let total: u128 = late.iter().copied().map(u128::from).sum();
    let mean = u64::try_from(total / late.len().max(1) as u128).unwrap_or(u64::MAX);
    json!({
        "cpu": cpu,
        "wakeups": late.len(),
        "min_us": micros(at_percent(&late, 0)),
        "mean_us": micros(mean),
        "p50_us": micros(at_percent(&late, 50)),
        "p99_us": micros(at_percent(&late, 99)),
        "max_us": micros(at_percent(&late, 100)),
    })
}

/// The value that `percent` of the sorted values do not exceed.
fn at_percent(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

fn micros(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sorted: Vec<u64> = (1..=200).collect();
        assert_eq!([0, 50, 99, 100].map(|p| at_percent(&sorted, p)), [1, 100, 198, 200]);
        assert_eq!(at_percent(&[], 99), 0);
    }

    #[test]
    fn a_time_shorter_than_the_interval_is_refused() {
        let ms = Duration::from_millis;
        assert!(wakeups(ms(9), ms(10)).is_err());
        assert!(wakeups(ms(9), ms(0)).is_err());
        assert_eq!(wakeups(ms(99), ms(10)).ok(), Some(9));
    }

    #[test]
    fn each_wake_up_is_measured_once() {
        let late = measure(Duration::from_millis(1), 5).ok().unwrap();
        assert_eq!(late.len(), 5);
        assert_eq!(summary(0, late)["wakeups"], 5);
    }
}
