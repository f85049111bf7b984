//! Messages to lines and lines to messages.

use serde::{Serialize, de::DeserializeOwned};

/// Largest file that `Read` returns, in bytes.
pub const MAX_READ: usize = 1 << 20;

/// Longest line either side accepts, in bytes: a peer that never ends its line is refused.
/// It carries [`MAX_READ`] of any bytes: JSON takes at most six for one (`\u0000`).
pub const MAX_LINE: usize = 6 * MAX_READ + 4096;

/// How a message is told from what else comes on the channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Framing {
    /// A line is a message: a channel that carries nothing else.
    #[default]
    Lines,
    /// A serial line, on which stray bytes come when its driver starts. A line is a frame: [`START`],
    /// which JSON never contains, the CRC-32 of the message as eight hexadecimal digits, and the
    /// message. What comes before the start is no part of it. For each byte that the agent takes from the line, it sends
    /// one [`RECEIVED`] between its frames, so that a harness whose serial line loses what comes too fast can wait.
    Frames,
}

/// What the agent sends for each byte that it took from a serial line: ASCII's acknowledge, which JSON never contains.
pub const RECEIVED: u8 = 0x06;

/// The first byte of a frame: ASCII's start of text.
const START: u8 = 0x02;

/// Length of the checksum behind it.
const CHECKSUM: usize = 8;

/// Why bytes are not a message.
#[derive(Debug)]
pub enum WireError {
    /// The line is longer than [`MAX_LINE`].
    TooLong,
    /// Bytes were lost or changed on the way.
    Damaged {
        /// The start of the line.
        line: String,
    },
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
            Self::Damaged { line } => {
                write!(f, "control channel: a message was damaged on the way: {line:?}")
            }
            Self::NotAMessage { reason, line } => {
                write!(f, "control channel: not a message ({reason}): {line:?}")
            }
        }
    }
}

impl std::error::Error for WireError {}

/// One message as a line for a channel with `framing`, newline included.
///
/// # Errors
/// Only if `message` cannot be written as JSON, which the types of this crate always can.
pub fn encode(message: &impl Serialize, framing: Framing) -> serde_json::Result<Vec<u8>> {
    let text = serde_json::to_vec(message)?;
    let mut line = Vec::with_capacity(text.len() + CHECKSUM + 2);
    if framing == Framing::Frames {
        line.push(START);
        line.extend(format!("{:08x}", crc32fast::hash(&text)).into_bytes());
    }
    line.extend(text);
    line.push(b'\n');
    Ok(line)
}

/// Collects bytes in any chunks and gives back whole messages.
#[derive(Debug, Default)]
pub struct LineBuffer {
    framing: Framing,
    pending: Vec<u8>,
    scanned: usize,
}

impl LineBuffer {
    /// A buffer for a channel with `framing`.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self { framing, ..Self::default() }
    }

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
            match self.framing {
                Framing::Lines if line.trim_ascii().is_empty() => {}
                Framing::Lines => return Some(parse(line.trim_ascii())),
                Framing::Frames => match unframed(&line) {
                    Some(Ok(text)) => return Some(parse(text)),
                    Some(Err(damaged)) => return Some(Err(damaged)),
                    None => {}
                },
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

/// The message in a line with a frame, if there is one in it.
fn unframed(line: &[u8]) -> Option<Result<&[u8], WireError>> {
    let start = line.iter().rposition(|&byte| byte == START)?;
    let frame = line[start + 1..].trim_ascii_end();
    let (sum, text) = frame.split_at_checked(CHECKSUM).unwrap_or((frame, &[]));
    let sum = std::str::from_utf8(sum).ok().and_then(|digits| u32::from_str_radix(digits, 16).ok());
    if sum == Some(crc32fast::hash(text)) {
        return Some(Ok(text));
    }
    Some(Err(WireError::Damaged { line: beginning(frame) }))
}

fn beginning(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(120)]).into_owned()
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, WireError> {
    serde_json::from_slice(line).map_err(|error| WireError::NotAMessage {
        reason: error.to_string(),
        line: beginning(line),
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
        for framing in [Framing::Lines, Framing::Frames] {
            let bytes = encode(&message, framing).unwrap().repeat(3);
            for chunk in 1..bytes.len() {
                let mut buffer = LineBuffer::new(framing);
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
    }

    fn ping(id: u64) -> Vec<u8> {
        encode(&Request { id, step: None, op: Op::Ping }, Framing::Frames).unwrap()
    }

    #[test]
    fn a_frame_is_found_among_stray_bytes() {
        let mut buffer = LineBuffer::new(Framing::Frames);
        buffer.push(b"X\x9c\0\n\n noise\nX\x9c");
        buffer.push(&ping(1));
        // A frame that was cut off by a new start.
        buffer.push(&ping(2)[..12]);
        buffer.push(&[RECEIVED; 20]);
        buffer.push(&ping(3));
        let mut id = || buffer.pop::<Request>().map(|request| request.unwrap().id);
        assert_eq!([id(), id(), id()], [Some(1), Some(3), None]);
    }

    #[test]
    fn a_frame_with_a_changed_or_lost_byte_is_damaged_and_the_next_one_is_read() {
        let good = ping(7);
        for at in 1..good.len() - 1 {
            let (mut changed, mut lost) = (good.clone(), good.clone());
            changed[at] ^= 1;
            lost.remove(at);
            for bad in [changed, lost] {
                let mut buffer = LineBuffer::new(Framing::Frames);
                buffer.push(&bad);
                buffer.push(&good);
                let first = buffer.pop::<Request>();
                assert!(matches!(first, Some(Err(WireError::Damaged { .. }))), "{at}: {first:?}");
                assert_eq!(buffer.pop::<Request>().unwrap().unwrap().id, 7);
            }
        }
    }

    #[test]
    fn a_bad_line_is_named_and_the_next_one_is_read() {
        let mut buffer = LineBuffer::default();
        buffer.push(b"what\n");
        buffer.push(&encode(&Request { id: 1, step: None, op: Op::Ping }, Framing::Lines).unwrap());
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
            buffer.push(&encode(&message, Framing::Lines).unwrap());
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
