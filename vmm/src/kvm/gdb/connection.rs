//! The line to gdb.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gdbstub::conn::{Connection, ConnectionExt};

/// How often to look whether the machine is gone, or its guest has stopped.
const TICK: Duration = Duration::from_millis(10);

/// A connection that ends when the machine does.
pub(super) struct Line {
    stream: UnixStream,
    /// Read, and not yet asked for.
    ahead: Option<u8>,
    answer: Vec<u8>,
    over: Arc<AtomicBool>,
}

impl Line {
    pub(super) fn new(stream: UnixStream, over: Arc<AtomicBool>) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(TICK))?;
        Ok(Self { stream, ahead: None, answer: Vec::new(), over })
    }

    /// A byte, if one comes within a tick.
    pub(super) fn poll(&mut self) -> io::Result<Option<u8>> {
        if self.ahead.is_none() {
            let mut byte = [0];
            match Read::read(&mut self.stream, &mut byte) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => self.ahead = Some(byte[0]),
                Err(error) if is_nothing_yet(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.ahead)
    }
}

fn is_nothing_yet(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

impl Connection for Line {
    type Error = io::Error;

    fn write(&mut self, byte: u8) -> io::Result<()> {
        self.answer.push(byte);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let answer = std::mem::take(&mut self.answer);
        Write::write_all(&mut self.stream, &answer)
    }
}

impl ConnectionExt for Line {
    fn read(&mut self) -> io::Result<u8> {
        while !self.over.load(Ordering::Relaxed) {
            if self.poll()?.is_some() {
                return self.ahead.take().ok_or_else(|| ErrorKind::UnexpectedEof.into());
            }
        }
        Err(ErrorKind::ConnectionAborted.into())
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        self.poll()
    }
}
