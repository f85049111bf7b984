//! What it took until the guest ran.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::time::ClockId;

/// Time from the order to make a machine until its first processor enters the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Startup {
    /// By the clock on the wall.
    pub(crate) wall: Duration,
    /// CPU time of the two threads that it took: the one that made the machine, and the processor's.
    pub(crate) cpu: Duration,
}

/// Measures [`Startup`]. It is made and sealed on the thread that makes the machine.
#[derive(Debug)]
pub(crate) struct FirstRun {
    begun: Instant,
    /// CPU time of the making thread: at the beginning, and then what it took.
    making: Duration,
    startup: OnceLock<Startup>,
}

impl FirstRun {
    /// The machine is being made from now on.
    pub(crate) fn begin() -> Self {
        Self { begun: Instant::now(), making: thread_cpu(), startup: OnceLock::new() }
    }

    /// The machine is made, and its threads are to start.
    pub(crate) fn made(self) -> Self {
        Self { making: thread_cpu().saturating_sub(self.making), ..self }
    }

    /// The calling thread, which is a processor's, is about to enter the guest. The first time counts.
    pub(super) fn note(&self) {
        self.startup.get_or_init(|| Startup {
            wall: self.begun.elapsed(),
            cpu: self.making + thread_cpu(),
        });
    }

    /// What it took, once the guest has run.
    pub(crate) fn startup(&self) -> Option<Startup> {
        self.startup.get().copied()
    }
}

fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_entry_counts_and_includes_what_making_took() {
        let first = FirstRun::begin();
        assert_eq!(first.startup(), None);
        let spent = thread_cpu();
        while thread_cpu() - spent < Duration::from_millis(2) {}
        let first = first.made();
        first.note();
        let noted = first.startup().unwrap();
        assert!(noted.cpu >= Duration::from_millis(2) && noted.wall >= Duration::from_millis(2));
        first.note();
        assert_eq!(first.startup(), Some(noted));
    }
}
