//! Messages to lines and lines to messages.

use serde::{Serialize, de::DeserializeOwned};

/// Largest file that `Read` returns, in bytes.
pub const MAX_READ: usize = 1 << 20;

/// Longest line either side accepts, in bytes: a peer that never ends its line is refused.
/// It carries [`MAX_READ`] of any bytes: JSON takes at most six for one (`\u0000`).
pub const MAX_LINE: usize = 6 * MAX_READ + 4096;

/// Why bytes are not a message.
#[derive(Debug)]
pub enum WireError {
    /// The line is longer than [`MAX_LINE`].
    TooLong,
    /// The line is not a message of this protocol.
    NotAMessage {
        /// The parser's words.
        reason: String,
        /// The start of the line.
        line: String,
    },
}

impl std::fmt::Display for WireError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLong => write!(f, "control channel: a line is longer than {MAX_LINE} bytes"),
            Self::NotAMessage { reason, line } => {
                write!(f, "control channel: not a message ({reason}): {line:?}")
            }
        }
    }
}

impl std::error::Error for WireError {}

/// One message as a line, newline included.
///
/// # Errors
/// Only if `message` cannot be written as JSON, which the types of this crate always can.
pub fn encode(message: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// Collects bytes in any chunks and gives back whole messages.
#[derive(Debug, Default)]
pub struct LineBuffer {
    pending: Vec<u8>,
    scanned: usize,
}

impl LineBuffer {
    /// Adds bytes as they arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next whole message, or `None` until more bytes come.
    ///
    /// # Errors
    /// A line that is too long, or not a `T`; the line is dropped and the next one can be read.
    pub fn pop<T: DeserializeOwned>(&mut self) -> Option<Result<T, WireError>> {
        loop {
            let Some(length) = self.find_newline() else {
                return self.overlong();
            };
            let line: Vec<u8> = self.pending.drain(..=length).collect();
            self.scanned = 0;
            let line = line.trim_ascii();
            if !line.is_empty() {
                return Some(parse(line));
            }
        }
    }

    fn find_newline(&mut self) -> Option<usize> {
        let found = self.pending[self.scanned..].iter().position(|&b| b == b'\n');
        let position = found.map(|offset| self.scanned + offset);
        self.scanned = self.pending.len();
        position
    }

    fn overlong<T>(&mut self) -> Option<Result<T, WireError>> {
        if self.pending.len() <= MAX_LINE {
            return None;
        }
        self.pending.clear();
        self.scanned = 0;
        Some(Err(WireError::TooLong))
    }
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, WireError> {
    serde_json::from_slice(line).map_err(|error| WireError::NotAMessage {
        reason: error.to_string(),
        line: String::from_utf8_lossy(&line[..line.len().min(120)]).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Data, Message, Op, Outcome, Request, Stream};

    #[test]
    fn messages_survive_any_chunking() {
        let message = Message::Output {
            id: 7,
            stream: Stream::Stderr,
            data: Data::from(vec![0xff, b'\n', 0]),
        };
        let bytes = encode(&message).unwrap().repeat(3);
        for chunk in 1..bytes.len() {
            let mut buffer = LineBuffer::default();
            let mut seen = 0;
            for part in bytes.chunks(chunk) {
                buffer.push(part);
                while let Some(got) = buffer.pop::<Message>() {
                    assert_eq!(got.unwrap(), message);
                    seen += 1;
                }
            }
            assert_eq!(seen, 3, "chunks of {chunk}");
        }
    }

    #[test]
    fn a_bad_line_is_named_and_the_next_one_is_read() {
        let mut buffer = LineBuffer::default();
        buffer.push(b"what\n");
        buffer.push(&encode(&Request { id: 1, step: None, op: Op::Ping }).unwrap());
        assert!(matches!(buffer.pop::<Request>(), Some(Err(WireError::NotAMessage { .. }))));
        assert_eq!(buffer.pop::<Request>().unwrap().unwrap().op, Op::Ping);
        assert!(buffer.pop::<Request>().is_none());
    }

    #[test]
    fn the_largest_file_fits_a_line_whatever_its_bytes() {
        for byte in [0, b'"', 0xff] {
            let message = Message::Done {
                id: u64::MAX,
                outcome: Outcome::Contents(Data::from(vec![byte; MAX_READ])),
            };
            let mut buffer = LineBuffer::default();
            buffer.push(&encode(&message).unwrap());
            assert_eq!(buffer.pop::<Message>().unwrap().unwrap(), message);
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut buffer = LineBuffer::default();
        buffer.push(&vec![b'x'; MAX_LINE + 1]);
        assert!(matches!(buffer.pop::<Request>(), Some(Err(WireError::TooLong))));
    }
}
