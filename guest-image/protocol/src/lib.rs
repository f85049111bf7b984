//! What harness and agent say to each other: newline-delimited JSON over any byte stream.
//!
//! The harness sends [`Request`]s, the agent sends [`Message`]s; every request has an `id` that
//! all messages about it repeat. Output is streamed as it appears. A verdict is only ever read
//! from this channel, never from text that a guest program could print.
#![forbid(unsafe_code)]

mod bytes;
pub mod layout;
mod message;
mod request;
mod wire;

pub use bytes::Data;
pub use message::{COUNTER_FILES, Ended, Failure, Message, Outcome, Sample, Stream, Usage};
pub use request::{Command, Op, Policy, Request, Sched, TerminalSize};
pub use wire::{Framing, LineBuffer, MAX_LINE, MAX_READ, RECEIVED, WireError, encode};

/// Version of this protocol; an agent and a harness of different versions refuse each other.
pub const VERSION: u32 = 5;

/// Name of the virtio-serial port that carries the channel: the guest finds it in
/// `/sys/class/virtio-ports/*/name`.
pub const PORT_NAME: &str = "kharness.control";

/// Start of the line that the agent writes to `/dev/kmsg` before each step; the step id follows.
/// It only attributes kernel reports to steps: a forged marker can move a report, not hide it.
pub const STEP_MARKER: &str = "kharness: step ";
