//! Watches an execution that is done again, and compares what it prints with what was recorded.

use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use vmm::{Event, Stop};

use crate::run::interrupted;

/// How often to look whether Ctrl-C was pressed.
const TICK: Duration = Duration::from_millis(100);

/// Bytes of a line that are shown.
const SHOWN: usize = 160;

/// How a replay ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// It printed what was recorded, to the last byte.
    Same,
    /// It printed something else.
    Diverged(Difference),
    /// It ended before it had printed everything.
    Short {
        /// Bytes that it printed.
        printed: usize,
        /// Why it ended.
        why: String,
    },
    /// It did not end in time.
    Overdue,
    /// Ctrl-C.
    Interrupted,
}

/// The first byte that is another one.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its offset in the console.
    pub offset: usize,
    /// Its line there, counted from 1.
    pub line: usize,
    /// That line, as it was recorded.
    pub recorded: String,
    /// And as it was printed, as far as it had come.
    pub printed: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, line, recorded, printed } = self;
        writeln!(f, "from byte {offset} on, in line {line} of the console")?;
        writeln!(f, "  recorded: {recorded}")?;
        write!(f, "  replayed: {printed}")
    }
}

/// Compares as it comes.
pub struct Watch<'a> {
    recorded: &'a [u8],
    printed: usize,
    limit: Option<Duration>,
}

impl<'a> Watch<'a> {
    /// Expects the console `recorded`, within `limit` where there is one.
    pub fn new(recorded: &'a [u8], limit: Option<Duration>) -> Self {
        Self { recorded, printed: 0, limit }
    }

    fn take(&mut self, bytes: &[u8]) -> Option<Difference> {
        let expected = &self.recorded[self.printed..];
        let same = expected.iter().zip(bytes).take_while(|(one, other)| one == other).count();
        if same == bytes.len() {
            self.printed += same;
            return None;
        }
        let offset = self.printed + same;
        let start =
            self.recorded[..offset].iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        let printed = [&self.recorded[start..offset], &bytes[same..]].concat();
        Some(Difference {
            offset,
            line: self.recorded[..start].iter().filter(|&&byte| byte == b'\n').count() + 1,
            recorded: first_line(&self.recorded[start..]),
            printed: first_line(&printed),
        })
    }
}

fn first_line(bytes: &[u8]) -> String {
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(&line[..line.len().min(SHOWN)]).trim_end().to_owned()
}

/// Follows a machine until it ends, or prints something else.
pub fn follow(mut watch: Watch, events: &Receiver<Event>) -> End {
    let start = Instant::now();
    loop {
        match events.recv_timeout(TICK) {
            Ok(Event::Console(bytes)) => {
                if let Some(difference) = watch.take(&bytes) {
                    return End::Diverged(difference);
                }
            }
            Ok(Event::Stopped(stop)) => return ended(&watch, &stop),
            Ok(Event::Control(_) | Event::ControlClosed | Event::Panicked) => {}
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return ended(&watch, &Stop::Internal("its threads ended without a word".into()));
            }
        }
        if interrupted() {
            return End::Interrupted;
        }
        if watch.limit.is_some_and(|limit| start.elapsed() > limit) {
            return End::Overdue;
        }
    }
}

fn ended(watch: &Watch, stop: &Stop) -> End {
    if watch.printed == watch.recorded.len() {
        return End::Same;
    }
    let why = match stop {
        Stop::Internal(words) => words.clone(),
        stop => format!("the guest ended: {stop:?}"),
    };
    End::Short { printed: watch.printed, why }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    const RECORDED: &[u8] = b"one\ntwo\nthree\n";

    fn end_of(parts: &[&[u8]]) -> End {
        let (events, received) = channel();
        for part in parts {
            events.send(Event::Console(part.to_vec())).unwrap();
        }
        events.send(Event::Stopped(Stop::PowerOff)).unwrap();
        follow(Watch::new(RECORDED, None), &received)
    }

    #[test]
    fn the_same_bytes_are_the_same_however_they_come() {
        for at in 0..RECORDED.len() {
            let (one, two) = RECORDED.split_at(at);
            assert_eq!(end_of(&[one, two]), End::Same);
        }
    }

    #[test]
    fn the_first_other_byte_is_told_with_its_line() {
        let difference =
            Difference { offset: 5, line: 2, recorded: "two".into(), printed: "tWo".into() };
        assert_eq!(end_of(&[b"one\nt", b"Wo\nthree\n"]), End::Diverged(difference));
    }

    #[test]
    fn bytes_behind_the_end_and_bytes_that_never_come_are_told() {
        let End::Diverged(more) = end_of(&[RECORDED, b"x"]) else { panic!() };
        assert_eq!((more.offset, more.line, more.printed.as_str()), (14, 4, "x"));
        let End::Short { printed: 4, why } = end_of(&[b"one\n"]) else { panic!() };
        assert!(why.contains("PowerOff"), "{why}");
    }

    #[test]
    fn a_replay_that_does_not_end_is_not_waited_for() {
        let (_events, received) = channel();
        let watch = Watch::new(RECORDED, Some(Duration::ZERO));
        assert_eq!(follow(watch, &received), End::Overdue);
    }
}
