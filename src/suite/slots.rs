//! How many guests run at the same time: as many as the host has CPUs and memory for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::available_parallelism;

use crate::host::available_memory;
use crate::scenario::model::Machine;

/// Guests may have this many of eight parts of the memory that is free when a run begins; the harness and
/// emulators need the rest.
const EIGHTHS_FOR_GUESTS: u64 = 7;

/// What guests take: of CPUs and bytes of memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Room {
    cpus: usize,
    memory: u64,
}

/// The host's room for guests, taken by those who come first.
#[derive(Debug)]
pub struct Slots {
    all: Room,
    /// Whether each guest counts as one, however many vCPUs it has.
    by_count: bool,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    taken: Room,
    /// Who came last and who is next: a guest that needs much is not passed by those that need less.
    last: u64,
    next: u64,
}

impl Slots {
    /// Room for `jobs` guests at a time, or else for as many as have a CPU of the host for each of their
    /// vCPUs; and in both cases for no more than the host has memory for.
    pub fn of_host(jobs: Option<usize>) -> Arc<Self> {
        let memory = available_memory().map_or(u64::MAX, |free| free / 8 * EIGHTHS_FOR_GUESTS);
        let cpus = available_parallelism().map_or(1, usize::from);
        Self::new(Room { cpus: jobs.unwrap_or(cpus).max(1), memory }, jobs.is_some())
    }

    fn new(all: Room, by_count: bool) -> Arc<Self> {
        let (state, freed) = Default::default();
        Arc::new(Self { all, by_count, state, freed })
    }

    /// How many guests can run at the same time at most.
    pub fn most(&self) -> usize {
        self.all.cpus
    }

    /// Waits for room for a guest on `machine`, which is alone if it needs more than there is.
    pub fn take(self: &Arc<Self>, machine: &Machine) -> Slot {
        let cpus = if self.by_count { 1 } else { (machine.cpus as usize).clamp(1, self.all.cpus) };
        self.take_room(Room { cpus, memory: machine.memory.0 })
    }

    fn take_room(self: &Arc<Self>, need: Room) -> Slot {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = state.last;
        state.last += 1;
        while state.next != ticket || !self.fits(state.taken, need) {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.next += 1;
        state.taken.cpus += need.cpus;
        state.taken.memory += need.memory;
        drop(state);
        self.freed.notify_all();
        Slot { slots: Arc::clone(self), has: need, aside: AtomicBool::new(false) }
    }

    fn fits(&self, taken: Room, need: Room) -> bool {
        let memory = taken.memory.saturating_add(need.memory);
        taken.cpus == 0 || (taken.cpus + need.cpus <= self.all.cpus && memory <= self.all.memory)
    }

    fn give_back(&self, room: Room) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.taken.cpus -= room.cpus;
        state.taken.memory -= room.memory;
        drop(state);
        self.freed.notify_all();
    }
}

/// The room that one guest has, until it is dropped.
#[derive(Debug)]
pub struct Slot {
    slots: Arc<Slots>,
    has: Room,
    aside: AtomicBool,
}

impl Slot {
    /// The guest only waits from now on: another one may run beside it.
    pub fn step_aside(&self) {
        if !self.aside.swap(true, Ordering::Relaxed) {
            self.slots.give_back(Room { memory: 0, ..self.has });
        }
    }

    /// Gives back all but `memory` bytes, which the guest leaves taken.
    pub fn keep_memory(mut self, memory: u64) -> Self {
        let memory = memory.min(self.has.memory);
        self.slots.give_back(Room { memory: self.has.memory - memory, ..self.has });
        self.has = Room { cpus: 0, memory };
        self
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let cpus = if *self.aside.get_mut() { 0 } else { self.has.cpus };
        self.slots.give_back(Room { cpus, ..self.has });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    use super::*;

    const GIB: u64 = 1 << 30;

    fn slots(cpus: usize, memory: u64) -> Arc<Slots> {
        Slots::new(Room { cpus, memory }, false)
    }

    fn room(cpus: usize, memory: u64) -> Room {
        Room { cpus, memory }
    }

    /// Whether somebody who asks for `need` gets it while the caller holds what it holds, and once
    /// `then` has given back.
    fn waits(slots: &Arc<Slots>, need: Room, then: impl FnOnce()) -> bool {
        let (got, has) = channel();
        let theirs = Arc::clone(slots);
        let other = thread::spawn(move || drop(got.send(theirs.take_room(need))));
        let waited = has.recv_timeout(Duration::from_millis(50)).is_err();
        then();
        other.join().unwrap();
        waited
    }

    #[test]
    fn guests_run_together_as_long_as_cpus_and_memory_last() {
        let all = slots(4, 4 * GIB);
        let one = all.take_room(room(2, GIB));
        let two = all.take_room(room(2, GIB));
        assert!(waits(&all, room(1, GIB), || drop(one)), "there is no CPU left");
        let three = all.take_room(room(1, GIB));
        assert!(waits(&all, room(1, 3 * GIB), || drop(two)), "there is no memory left");
        drop(three);
    }

    #[test]
    fn a_guest_that_needs_more_than_there_is_runs_alone() {
        let all = slots(1, GIB);
        let large = all.take_room(room(1, 8 * GIB));
        assert!(waits(&all, room(1, 1), || drop(large)));
        drop(all.take_room(room(1, 8 * GIB)));
    }

    #[test]
    fn a_guest_that_needs_much_is_not_passed_by_small_ones() {
        let all = slots(2, GIB);
        let small = all.take_room(room(1, 0));
        let theirs = Arc::clone(&all);
        let large = thread::spawn(move || drop(theirs.take_room(room(2, 0))));
        while all.state.lock().unwrap().last < 2 {
            thread::yield_now();
        }
        assert!(waits(&all, room(1, 0), || drop(small)), "it came later");
        large.join().unwrap();
    }

    #[test]
    fn a_guest_that_only_waits_makes_room_but_keeps_its_memory() {
        let all = slots(1, GIB);
        let ending = all.take_room(room(1, GIB));
        ending.step_aside();
        ending.step_aside();
        let next = all.take_room(room(1, GIB));
        assert_eq!(all.state.lock().unwrap().taken, room(1, 2 * GIB));
        drop((ending, next));
        assert_eq!(all.state.lock().unwrap().taken, Room::default());
    }

    #[test]
    fn a_template_leaves_no_more_than_its_memory_taken() {
        let all = slots(2, GIB);
        let left = all.take_room(room(2, GIB)).keep_memory(10);
        assert_eq!(all.state.lock().unwrap().taken, room(0, 10));
        drop(left);
        assert_eq!(all.state.lock().unwrap().taken, Room::default());
    }
}
