//! The sending side of the control channel.

use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use agent_protocol::{Framing, Message, Outcome, RECEIVED, encode};

use crate::failure::Answer;
use crate::power;

/// Sends whole messages from any thread. A harness that does not read blocks the sender, and
/// with it the program whose output it sends: nothing piles up in the guest.
pub struct Channel {
    out: Mutex<File>,
    framing: Framing,
}

impl Channel {
    /// A channel that writes to `out`.
    pub fn new(out: File, framing: Framing) -> Self {
        Self { out: Mutex::new(out), framing }
    }

    /// Sends one message. Without its channel the agent has no use: the machine goes off.
    pub fn send(&self, message: &Message) {
        let Ok(line) = encode(message, self.framing) else {
            return;
        };
        self.write(&line);
    }

    /// Tells that `length` bytes were taken from the channel, where that is a serial line.
    pub fn acknowledge(&self, length: usize) {
        if self.framing == Framing::Frames {
            self.write(&vec![RECEIVED; length]);
        }
    }

    fn write(&self, bytes: &[u8]) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if out.write_all(bytes).is_err() {
            power::off();
        }
    }

    /// Answers request `id`.
    pub fn done(&self, id: u64, answer: Answer) {
        let outcome = answer.unwrap_or_else(Outcome::Failed);
        self.send(&Message::Done { id, outcome });
    }
}
