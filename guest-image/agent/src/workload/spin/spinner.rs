//! A thread that spins and counts.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Barrier, mpsc::Sender};
use std::thread::Builder;
use std::time::Duration;
use std::{io, iter};

use agent_protocol::{Failure, Sched};
use rustix::thread::{gettid, sched_getcpu};

use crate::failure::Context;
use crate::{sched, sys};

/// Rounds between two looks at the world.
const BATCH: u64 = 10_000;

/// What a spinner has done so far; others read it while it spins.
#[derive(Default)]
pub struct Spinner {
    rounds: AtomicU64,
    /// Bit N: it has run on CPU N; the last bit stands for all from 63 up.
    cpus: AtomicU64,
    stop: AtomicBool,
}

/// A spinner that is set up and waits for the start.
pub struct Waiting {
    pub spinner: Arc<Spinner>,
    tid: i32,
}

impl Waiting {
    /// CPU time used so far.
    pub fn cpu_time(&self) -> io::Result<Duration> {
        sys::thread_cpu_time(self.tid)
    }
}

/// Starts a thread that takes `wanted` for itself, says so to `ready`, and spins from `start` on.
pub fn start(
    wanted: Sched,
    start: Arc<Barrier>,
    ready: Sender<Result<Waiting, Failure>>,
) -> Result<(), Failure> {
    let work = move || {
        let spinner = Arc::new(Spinner::default());
        let applied = sched::apply_to_thread(0, &wanted);
        let report =
            applied.map(|()| Waiting { spinner: Arc::clone(&spinner), tid: gettid().as_raw_pid() });
        if ready.send(report).is_ok() {
            start.wait();
            spinner.spin();
        }
    };
    let thread = Builder::new().stack_size(64 << 10).spawn(work);
    thread.map(drop).context(|| "cannot start a thread".to_owned())
}

impl Spinner {
    fn spin(&self) {
        while !self.stop.load(Relaxed) {
            for round in 0..BATCH {
                black_box(round);
            }
            self.rounds.fetch_add(BATCH, Relaxed);
            self.cpus.fetch_or(1 << sched_getcpu().min(63), Relaxed);
        }
    }

    /// Has it end.
    pub fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    /// Rounds so far.
    pub fn rounds(&self) -> u64 {
        self.rounds.load(Relaxed)
    }

    /// CPUs that it has run on.
    pub fn cpus(&self) -> Vec<u32> {
        let mask = self.cpus.load(Relaxed);
        let cpus = iter::successors(Some(0_u32), |cpu| Some(cpu + 1)).take(64);
        cpus.filter(|cpu| mask >> cpu & 1 == 1).collect()
    }
}
