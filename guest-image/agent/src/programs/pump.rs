//! Sends that a program runs, what it writes, and how it ended.

use std::os::fd::{BorrowedFd, OwnedFd};

use agent_protocol::{Data, Message, Stream};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::programs::Programs;
use crate::programs::spawn::Process;

/// Most that is sent in one message.
const CHUNK: usize = 16 << 10;

/// Most that is read for the end of a program: more than a pipe holds, so that all of its own
/// output is sent before its end, but bounded, as what it left behind may write for ever.
const LAST_CHUNKS: usize = 64;

/// Runs until the program has ended and all who could write its output have gone.
pub fn run(programs: &Programs, id: u64, process: Process, exit: &OwnedFd) {
    let mut streams = [
        Source::new(id, Stream::Stdout, Some(process.stdout)),
        Source::new(id, Stream::Stderr, process.stderr),
    ];
    programs.announce_start(id);
    let mut exit = Some(exit);
    while exit.is_some() || streams.iter().any(Source::is_open) {
        let ready = wait(&streams, exit);
        for (stream, _) in streams.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            stream.forward(programs, 1);
        }
        if ready[2] {
            for stream in &mut streams {
                stream.forward(programs, LAST_CHUNKS);
            }
            programs.announce_end(id);
            exit = None;
        }
    }
}

/// One of the program's output streams, until its end.
struct Source {
    id: u64,
    stream: Stream,
    pipe: Option<OwnedFd>,
}

impl Source {
    fn new(id: u64, stream: Stream, pipe: Option<OwnedFd>) -> Self {
        Self { id, stream, pipe }
    }

    fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Sends what is there, at most `chunks` messages of it.
    fn forward(&mut self, programs: &Programs, chunks: usize) {
        let mut chunk = [0; CHUNK];
        for _ in 0..chunks {
            let Some(pipe) = &self.pipe else { return };
            match rustix::io::read(pipe, &mut chunk) {
                Ok(0) => self.pipe = None,
                Ok(length) => programs.send(&Message::Output {
                    id: self.id,
                    stream: self.stream,
                    data: Data::from(&chunk[..length]),
                }),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => self.pipe = None,
            }
        }
    }
}

/// Waits for stdout, stderr or the exit, and says which; what is gone is never ready.
fn wait(streams: &[Source; 2], exit: Option<&OwnedFd>) -> [bool; 3] {
    let sources: [Option<BorrowedFd<'_>>; 3] = [
        streams[0].pipe.as_ref().map(std::os::fd::AsFd::as_fd),
        streams[1].pipe.as_ref().map(std::os::fd::AsFd::as_fd),
        exit.map(std::os::fd::AsFd::as_fd),
    ];
    let mut fds: Vec<PollFd<'_>> =
        sources.iter().flatten().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    if poll(&mut fds, None).is_err() {
        return [false; 3];
    }
    let mut fds = fds.iter();
    sources.map(|source| {
        let polled = source.and_then(|_| fds.next());
        polled.is_some_and(|fd| !fd.revents().is_empty())
    })
}
