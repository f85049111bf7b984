//! Run, pause, stop: what the processors are ordered to do, and how far they have got.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use libc::pid_t;

use super::kick;
use crate::Stop;

/// Where a processor's thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Not started yet, or on its way; it will ask before it runs.
    Coming,
    /// It may be in the guest; this is whom to kick.
    Running(pid_t),
    /// It waits to be resumed.
    Parked,
    /// It will never run again.
    Ended,
}

#[derive(Debug)]
enum Order {
    Run,
    Pause,
    Stop { why: Stop, since: Instant },
}

#[derive(Debug)]
struct State {
    order: Order,
    places: Vec<Place>,
    /// Whether a processor stays parked although the others run, for a debugger.
    held: Vec<bool>,
    /// Whether a processor is suspended, whatever the others are ordered to do.
    suspended: Vec<bool>,
}

impl State {
    fn may_run(&self, cpu: usize) -> bool {
        matches!(self.order, Order::Run) && !self.held[cpu] && !self.suspended[cpu]
    }
}

/// The orders of a machine's processors.
#[derive(Debug)]
pub(crate) struct Control {
    state: Mutex<State>,
    changed: Condvar,
    /// Whether each processor may run, for a look without the lock.
    run: Vec<AtomicBool>,
}

impl Control {
    /// `cpus` processors that are to run.
    pub(crate) fn new(cpus: u8) -> Self {
        let cpus = usize::from(cpus);
        let (held, suspended) = (vec![false; cpus], vec![false; cpus]);
        let state = State { order: Order::Run, places: vec![Place::Coming; cpus], held, suspended };
        let run = (0..cpus).map(|_| AtomicBool::new(true)).collect();
        Self { state: Mutex::new(state), changed: Condvar::new(), run }
    }

    /// Number of processors.
    pub(crate) fn cpus(&self) -> usize {
        self.run.len()
    }

    /// Whether processor `cpu` may enter the guest, as of now.
    pub(super) fn may_run(&self, cpu: usize) -> bool {
        self.run[cpu].load(Ordering::SeqCst)
    }

    /// Processor `cpu` asks to run, on `thread`: waits while it is to pause. Tells whether it may.
    pub(super) fn ask_to_run(&self, cpu: usize, thread: pid_t) -> bool {
        let mut state = self.lock();
        loop {
            match state.order {
                Order::Stop { .. } => return false,
                _ if state.may_run(cpu) => {
                    state.places[cpu] = Place::Running(thread);
                    return true;
                }
                Order::Run | Order::Pause => {
                    state.places[cpu] = Place::Parked;
                    self.changed.notify_all();
                    state = self.wait(state);
                }
            }
        }
    }

    /// Processor `cpu` will never run again. Tells whether it was the last one.
    pub(super) fn end(&self, cpu: usize) -> bool {
        let mut state = self.lock();
        state.places[cpu] = Place::Ended;
        self.changed.notify_all();
        all_ended(&state)
    }

    /// Orders a pause, unless the machine is to stop.
    pub(crate) fn pause(&self) {
        self.order(|order| match order {
            Order::Stop { .. } => None,
            _ => Some(Order::Pause),
        });
    }

    /// Ends a pause for the processors that are `wanted`; the others stay parked until the next one ends.
    pub(crate) fn resume_if(&self, wanted: impl Fn(usize) -> bool) {
        let mut state = self.lock();
        for (cpu, held) in state.held.iter_mut().enumerate() {
            *held = !wanted(cpu);
        }
        drop(state);
        self.order(|order| match order {
            Order::Pause => Some(Order::Run),
            _ => None,
        });
    }

    /// Orders all processors to stop for good. The first reason counts.
    pub(crate) fn stop(&self, why: Stop) {
        self.order(|order| match order {
            Order::Stop { .. } => None,
            _ => Some(Order::Stop { why, since: Instant::now() }),
        });
    }

    /// Orders processor `cpu`, and no other, out of the guest until [`Control::release`], and waits until it is.
    ///
    /// # Errors
    /// When there is no such processor any more, or it does not leave within `patience`; it may run on then.
    pub(crate) fn suspend(&self, cpu: usize, patience: Duration) -> io::Result<()> {
        let mut state = self.lock();
        if state.places.get(cpu).is_none_or(|place| *place == Place::Ended) {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("vCPU {cpu} does not run"),
            ));
        }
        state.suspended[cpu] = true;
        self.note_who_may_run(&state);
        if let Place::Running(thread) = state.places[cpu] {
            kick::kick(thread);
        }
        let is_in = |state: &mut State| {
            matches!(state.places[cpu], Place::Running(_) | Place::Coming)
                && !matches!(state.order, Order::Stop { .. })
        };
        let waited = self.changed.wait_timeout_while(state, patience, is_in);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            state.suspended[cpu] = false;
            self.note_who_may_run(&state);
            let words = format!("vCPU {cpu} does not leave the guest");
            return Err(io::Error::new(io::ErrorKind::TimedOut, words));
        }
        Ok(())
    }

    /// Lets processor `cpu`, which was suspended, do as it is ordered again.
    pub(crate) fn release(&self, cpu: usize) {
        let mut state = self.lock();
        if let Some(suspended) = state.suspended.get_mut(cpu) {
            *suspended = false;
        }
        self.note_who_may_run(&state);
        self.changed.notify_all();
    }

    /// Waits until no processor runs; gives one that still does after `patience`.
    pub(crate) fn settle(&self, patience: Duration) -> Result<(), usize> {
        let state = self.lock();
        let (state, _) = self
            .changed
            .wait_timeout_while(state, patience, |state| first_running(state).is_some())
            .unwrap_or_else(PoisonError::into_inner);
        first_running(&state).map_or(Ok(()), Err)
    }

    /// Whether all processors wait to be resumed.
    pub(crate) fn is_paused(&self) -> bool {
        let state = self.lock();
        matches!(state.order, Order::Pause) && first_running(&state).is_none()
    }

    /// Whether the machine is to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        matches!(self.lock().order, Order::Stop { .. })
    }

    /// Why the machine stopped, once all processors have; or that one does not, after `patience`.
    pub(crate) fn outcome(&self, patience: Duration) -> Option<Stop> {
        let state = self.lock();
        let Order::Stop { why, since } = &state.order else { return None };
        if all_ended(&state) {
            return Some(why.clone());
        }
        let overdue = since.elapsed() > patience;
        first_running(&state).filter(|_| overdue).map(|cpu| {
            Stop::Internal(format!(
                "vCPU {cpu} does not leave KVM_RUN {} s after it was told to stop ({why:?}): \
                 the KVM of this host is stuck",
                patience.as_secs()
            ))
        })
    }

    fn order(&self, change: impl FnOnce(&Order) -> Option<Order>) {
        let mut state = self.lock();
        let Some(order) = change(&state.order) else { return };
        state.order = order;
        self.note_who_may_run(&state);
        for place in &state.places {
            if let Place::Running(thread) = place {
                kick::kick(*thread);
            }
        }
        self.changed.notify_all();
    }

    fn note_who_may_run(&self, state: &State) {
        for (cpu, run) in self.run.iter().enumerate() {
            run.store(state.may_run(cpu), Ordering::SeqCst);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

fn first_running(state: &State) -> Option<usize> {
    state.places.iter().position(|place| matches!(place, Place::Running(_) | Place::Coming))
}

fn all_ended(state: &State) -> bool {
    state.places.iter().all(|place| *place == Place::Ended)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(10);
    const SHORT: Duration = Duration::from_millis(10);
    const NOBODY: pid_t = 0x7fff_ffff;

    #[test]
    fn a_paused_processor_waits_until_it_is_resumed() {
        let control = Arc::new(Control::new(1));
        control.pause();
        let processor = thread::spawn({
            let control = Arc::clone(&control);
            move || control.ask_to_run(0, NOBODY)
        });
        control.settle(LONG).unwrap();
        assert!(control.is_paused() && !control.may_run(0));
        control.resume_if(|_| true);
        assert!(processor.join().unwrap());
        assert!(control.may_run(0));
    }

    #[test]
    fn a_processor_that_runs_on_is_named() {
        let control = Control::new(2);
        assert!(control.ask_to_run(0, NOBODY));
        assert!(control.ask_to_run(1, NOBODY));
        control.pause();
        control.end(0);
        assert_eq!(control.settle(SHORT), Err(1));
        control.stop(Stop::Asked);
        thread::sleep(SHORT);
        assert!(matches!(control.outcome(SHORT / 2), Some(Stop::Internal(_))));
    }

    #[test]
    fn the_first_reason_to_stop_counts_and_nothing_undoes_it() {
        let control = Control::new(1);
        control.stop(Stop::PowerOff);
        control.stop(Stop::Asked);
        control.pause();
        control.resume_if(|_| true);
        assert!(!control.ask_to_run(0, NOBODY));
        assert_eq!(control.outcome(LONG), None);
        assert!(control.end(0));
        assert_eq!(control.outcome(LONG), Some(Stop::PowerOff));
    }

    #[test]
    fn a_processor_that_is_not_wanted_stays_parked() {
        let control = Arc::new(Control::new(2));
        control.pause();
        let ask = |cpu| {
            let control = Arc::clone(&control);
            thread::spawn(move || control.ask_to_run(cpu, NOBODY))
        };
        let (first, second) = (ask(0), ask(1));
        control.settle(LONG).unwrap();
        control.resume_if(|cpu| cpu == 1);
        assert!(second.join().unwrap());
        assert!(!first.is_finished());
        control.resume_if(|_| true);
        control.pause();
        control.resume_if(|_| true);
        assert!(first.join().unwrap());
    }

    #[test]
    fn a_suspended_processor_waits_although_all_are_ordered_to_run_and_another_does_not() {
        let control = Arc::new(Control::new(2));
        assert!(control.ask_to_run(0, NOBODY));
        let ask = {
            let control = Arc::clone(&control);
            move || control.ask_to_run(1, NOBODY)
        };
        let suspended = thread::spawn({
            let control = Arc::clone(&control);
            move || control.suspend(1, LONG)
        });
        while control.may_run(1) {
            thread::yield_now();
        }
        let second = thread::spawn(ask);
        suspended.join().unwrap().unwrap();
        control.pause();
        control.resume_if(|_| true);
        assert!(control.may_run(0) && !control.may_run(1) && !second.is_finished());
        control.release(1);
        assert!(second.join().unwrap() && control.may_run(1));
    }

    #[test]
    fn a_processor_that_does_not_leave_the_guest_is_not_suspended_and_one_that_ended_is_not_there()
    {
        let control = Control::new(1);
        assert!(control.ask_to_run(0, NOBODY));
        assert_eq!(control.suspend(0, SHORT).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(control.may_run(0));
        control.end(0);
        for cpu in [0, 1] {
            assert_eq!(control.suspend(cpu, LONG).unwrap_err().kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn a_stop_ends_a_pause() {
        let control = Arc::new(Control::new(1));
        control.pause();
        let processor = thread::spawn({
            let control = Arc::clone(&control);
            move || control.ask_to_run(0, NOBODY)
        });
        control.settle(LONG).unwrap();
        control.stop(Stop::Asked);
        assert!(!processor.join().unwrap());
    }
}
