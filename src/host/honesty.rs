//! A deadline that was missed because the host was busy says nothing about the kernel.

use super::watch::load_per_cpu;
use crate::results::{Attempt, HostLoad, Status};

/// A hypervisor below that takes this much of the CPUs leaves no room for deadlines, in percent.
const MOST_STEAL: f64 = 25.0;
/// Guests that wait for more of the CPU time that they want than they get, in percent.
const MOST_DENIED: f64 = 50.0;
/// … matter where they wait for this much of the wall time, in percent: an idle guest wants
/// next to nothing, and misses no deadline for it.
const MOST_WAIT: f64 = 50.0;
/// Share of the time in which nothing could run for want of memory, in percent.
const MOST_STALL: f64 = 25.0;

/// Longest that an overloaded host stretches limits.
const MOST_STRETCH: f64 = 2.0;

impl HostLoad {
    /// What the host was short of, in words; absent where it had enough.
    pub fn overload(&self) -> Option<String> {
        if self.steal_percent >= MOST_STEAL {
            Some(format!("{} % of its CPU time was stolen", self.steal_percent))
        } else if self.memory_stall_percent >= MOST_STALL {
            Some(format!("it stood still for {} % for want of memory", self.memory_stall_percent))
        } else if self.cpu_denied_percent >= MOST_DENIED && self.cpu_wait_percent >= MOST_WAIT {
            let share = self.cpu_denied_percent;
            Some(format!("guests waited for {share} % of the CPU time that they wanted"))
        } else {
            None
        }
    }
}

/// Records the load of the host with an attempt. A missed deadline on an overloaded host is an
/// error of the host.
pub fn honest(attempt: &mut Attempt, load: HostLoad) {
    if let (Status::Timeout, Some(overload)) = (attempt.status, load.overload()) {
        attempt.status = Status::Error;
        let cause = attempt.cause.take().unwrap_or_default();
        attempt.cause = Some(format!("{cause}; but the host was overloaded: {overload}"));
    }
    attempt.host = Some(load);
}

/// How much longer limits are where the host is busy before the run begins: twice the load, twice
/// the time, within reason.
pub fn load_scale() -> f64 {
    load_per_cpu().map_or(1.0, |load| load.clamp(1.0, MOST_STRETCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(status: Status) -> Attempt {
        serde_json::from_value(serde_json::json!({
            "status": status, "cause": "timeout: step took more than 3s", "duration_ms": 1,
        }))
        .unwrap()
    }

    fn starved() -> HostLoad {
        HostLoad { cpu_denied_percent: 80.0, cpu_wait_percent: 75.0, ..HostLoad::default() }
    }

    #[test]
    fn a_missed_deadline_on_an_overloaded_host_is_an_error_and_says_both() {
        let mut missed = attempt(Status::Timeout);
        honest(&mut missed, starved());
        assert_eq!(missed.status, Status::Error);
        let cause = missed.cause.unwrap();
        assert!(cause.contains("took more than 3s") && cause.contains("80 %"), "{cause}");
    }

    #[test]
    fn a_missed_deadline_on_a_host_at_rest_stays_a_timeout() {
        let mut missed = attempt(Status::Timeout);
        let idle = HostLoad { cpu_denied_percent: 90.0, cpu_wait_percent: 2.0, ..starved() };
        honest(&mut missed, idle);
        assert_eq!(missed.status, Status::Timeout);
    }

    #[test]
    fn a_crash_is_a_crash_on_any_host() {
        let mut crash = attempt(Status::Crash);
        honest(&mut crash, HostLoad { steal_percent: 99.0, ..starved() });
        assert_eq!(crash.status, Status::Crash);
    }
}
