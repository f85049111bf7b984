//! What the guest has to say, on its way from the vCPU threads to the harness.
//!
//! A vCPU thread must not wait for the harness while the harness waits for it. So it leaves its bytes
//! here, and one thread (`supervisor`) carries them on. The guest waits only when much is
//! left behind, and not even then when somebody wants to pause or stop it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Event;

/// Bytes that may lie here before the guest has to wait.
const LIMIT: usize = 4 << 20;

/// Bytes of the largest event. Events wait for the harness by their number, so their size is bounded.
const PIECE: usize = 64 << 10;

/// Console bytes that are worth waking the supervisor for, if no line ends among them.
const CHUNK: usize = 4096;

#[derive(Debug, Default)]
struct State {
    events: Vec<Event>,
    bytes: usize,
    /// The guest must not wait here, as somebody waits for it.
    hurry: bool,
    /// Nobody will ever take anything any more.
    closed: bool,
    /// Whoever waits for events is to look up even if there are none.
    woken: bool,
}

/// Events in the order in which they happened.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    filled: Condvar,
    drained: Condvar,
}

impl Outbox {
    /// Leaves console bytes. Waits while too much is left here.
    pub(crate) fn console(&self, bytes: &[u8]) {
        let mut state = self.room();
        for piece in bytes.chunks(PIECE) {
            match state.events.last_mut() {
                Some(Event::Console(last)) if last.len() + piece.len() <= PIECE => {
                    last.extend_from_slice(piece);
                }
                _ => state.events.push(Event::Console(piece.to_vec())),
            }
        }
        state.bytes += bytes.len();
        if state.bytes >= CHUNK || bytes.contains(&b'\n') {
            self.filled.notify_one();
        }
    }

    /// Leaves bytes of the control channel. Waits while too much is left here.
    pub(crate) fn control(&self, bytes: &[u8]) {
        let mut state = self.room();
        state.bytes += bytes.len();
        let pieces = bytes.chunks(PIECE).map(|piece| Event::Control(piece.to_vec()));
        state.events.extend(pieces);
        self.filled.notify_one();
    }

    /// Leaves an event that carries no bytes.
    pub(crate) fn event(&self, event: Event) {
        // Charged as well, or a guest could fill the host's memory with events.
        let mut state = self.room();
        state.bytes += size_of::<Event>();
        state.events.push(event);
        self.filled.notify_one();
    }

    /// Whether the guest must not wait here.
    pub(crate) fn hurry(&self, hurry: bool) {
        self.lock().hurry = hurry;
        self.drained.notify_all();
    }

    /// Ends the wait of whoever waits for events.
    pub(crate) fn wake(&self) {
        self.lock().woken = true;
        self.filled.notify_one();
    }

    /// Throws away what is here, and all that comes.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.events.clear();
        state.bytes = 0;
        self.drained.notify_all();
    }

    /// Takes all events; waits for one at most `patience`.
    pub(crate) fn take(&self, patience: Duration) -> Vec<Event> {
        let state = self.lock();
        let (mut state, _) = self
            .filled
            .wait_timeout_while(state, patience, |state| state.events.is_empty() && !state.woken)
            .unwrap_or_else(PoisonError::into_inner);
        state.bytes = 0;
        state.woken = false;
        self.drained.notify_all();
        std::mem::take(&mut state.events)
    }

    /// The state, once there is room or no time to wait for it. A closed outbox is emptied here.
    fn room(&self) -> MutexGuard<'_, State> {
        let state = self.lock();
        let mut state = self
            .drained
            .wait_while(state, |state| state.bytes >= LIMIT && !state.hurry && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            state.events.clear();
            state.bytes = 0;
        }
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    /// All console bytes that are left here; no event is larger than it may be.
    fn printed(outbox: &Outbox) -> Vec<u8> {
        let bytes = |event| match event {
            Event::Console(bytes) => bytes,
            other => panic!("{other:?}"),
        };
        let pieces: Vec<_> = outbox.take(SOON).into_iter().map(bytes).collect();
        assert!(pieces.iter().all(|piece| piece.len() <= PIECE));
        pieces.concat()
    }

    #[test]
    fn console_bytes_merge_but_never_across_another_event() {
        let outbox = Outbox::default();
        outbox.console(b"a");
        outbox.console(b"b\n");
        outbox.control(b"{}");
        outbox.console(b"c");
        let expected = [
            Event::Console(b"ab\n".to_vec()),
            Event::Control(b"{}".to_vec()),
            Event::Console(b"c".to_vec()),
        ];
        assert_eq!(outbox.take(SOON), expected);
        assert_eq!(outbox.take(SOON), []);
    }

    #[test]
    fn a_guest_that_floods_waits_until_its_bytes_are_taken() {
        let outbox = Outbox::default();
        outbox.console(&vec![b'x'; LIMIT]);
        thread::scope(|scope| {
            let writer = scope.spawn(|| outbox.console(b"last"));
            thread::sleep(Duration::from_millis(20));
            assert!(!writer.is_finished());
            assert_eq!(printed(&outbox), vec![b'x'; LIMIT]);
        });
        assert_eq!(printed(&outbox), b"last");
    }

    #[test]
    fn a_guest_that_is_to_stop_does_not_wait() {
        let outbox = Outbox::default();
        outbox.console(&vec![b'x'; LIMIT]);
        outbox.hurry(true);
        outbox.console(b"y");
        assert_eq!(printed(&outbox), [vec![b'x'; LIMIT], vec![b'y']].concat());
    }

    #[test]
    fn a_closed_outbox_holds_nothing_and_nobody_up() {
        let outbox = Outbox::default();
        outbox.console(&vec![b'x'; LIMIT]);
        outbox.close();
        for _ in 0..10 {
            outbox.console(&vec![b'x'; LIMIT]);
        }
        assert!(outbox.lock().bytes <= LIMIT);
    }
}
