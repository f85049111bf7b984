//! Wakes up as a copy of a guest.

use std::fs::File;
use std::io::Write;

use agent_protocol::Failure;
use rustix::time::{ClockId, Timespec, clock_settime};

use crate::failure::Context;
use crate::sys;

const URANDOM: &str = "/dev/urandom";
const NANOS: u64 = 1_000_000_000;

/// Sets the wall clock, and perturbs the random numbers by `seed`.
pub fn resume(wall_ns: Option<u64>, seed: Option<u64>) -> Result<(), Failure> {
    if let Some(wall_ns) = wall_ns {
        clock_settime(ClockId::Realtime, timespec(wall_ns))
            .context(|| "cannot set the clock".to_owned())?;
    }
    seed.map_or(Ok(()), perturb)
}

fn timespec(nanos: u64) -> Timespec {
    // The remainder is below 10^9; seconds beyond i64 are refused by the kernel.
    let part = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    Timespec { tv_sec: part(nanos / NANOS), tv_nsec: part(nanos % NANOS) }
}

fn perturb(seed: u64) -> Result<(), Failure> {
    let mut urandom =
        File::options().write(true).open(URANDOM).context(|| format!("cannot open {URANDOM}"))?;
    urandom.write_all(&seed.to_le_bytes()).context(|| format!("cannot write {URANDOM}"))?;
    sys::reseed(&urandom).context(|| "cannot reseed the random numbers".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_become_seconds_and_the_rest() {
        let time = timespec(1_700_000_000_123_456_789);
        assert_eq!((time.tv_sec, time.tv_nsec), (1_700_000_000, 123_456_789));
    }
}
