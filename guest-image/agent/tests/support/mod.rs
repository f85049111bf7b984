//! The agent as an ordinary process, with its channel on a socket.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use agent_protocol::{Ended, Framing, LineBuffer, Message, Op, Outcome, Request, Stream, encode};

/// Longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Agent {
    process: Child,
    channel: UnixStream,
    lines: LineBuffer,
    last_id: u64,
    /// All messages so far, in order.
    pub seen: Vec<Message>,
}

impl Agent {
    pub fn start() -> Self {
        let (channel, theirs) = UnixStream::pair().unwrap();
        channel.set_read_timeout(Some(PATIENCE)).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_kharness-agent"))
            .arg("serve")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .unwrap();
        Self { process, channel, lines: LineBuffer::default(), last_id: 0, seen: Vec::new() }
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.channel.write_all(bytes).unwrap();
    }

    /// Sends a request; gives its id.
    pub fn send(&mut self, op: Op) -> u64 {
        self.last_id += 1;
        let request = Request { id: self.last_id, step: None, op };
        self.send_bytes(&encode(&request, Framing::Lines).unwrap());
        self.last_id
    }

    /// Sends a request and waits for what came of it.
    pub fn ask(&mut self, op: Op) -> Outcome {
        let id = self.send(op);
        self.done(id)
    }

    /// Waits for what came of request `id`.
    pub fn done(&mut self, id: u64) -> Outcome {
        let message =
            self.until(|message| matches!(message, Message::Done { id: of, .. } if *of == id));
        let Message::Done { outcome, .. } = message else { unreachable!() };
        outcome
    }

    /// Waits for the end of a program that request `id` asked for.
    pub fn ended(&mut self, id: u64) -> Ended {
        match self.done(id) {
            Outcome::Ended(ended) => ended,
            other => panic!("request {id}: {other:?}"),
        }
    }

    /// The first message that fits, seen already or to come.
    pub fn until(&mut self, fits: impl Fn(&Message) -> bool) -> Message {
        let mut looked_at = 0;
        loop {
            if let Some(found) = self.seen[looked_at..].iter().find(|message| fits(message)) {
                return found.clone();
            }
            looked_at = self.seen.len();
            self.receive();
        }
    }

    fn receive(&mut self) {
        let mut chunk = [0; 65536];
        let length = self.channel.read(&mut chunk).expect("no answer in time");
        assert_ne!(length, 0, "the agent has closed the channel; it had said {:?}", self.seen);
        self.lines.push(&chunk[..length]);
        while let Some(message) = self.lines.pop() {
            self.seen.push(message.unwrap());
        }
    }

    /// What the program of request `id` has written so far.
    pub fn output(&self, id: u64, stream: Stream) -> Vec<u8> {
        let mut bytes = Vec::new();
        for message in &self.seen {
            match message {
                Message::Output { id: of, stream: from, data } if *of == id && *from == stream => {
                    bytes.extend_from_slice(data.as_bytes());
                }
                _ => {}
            }
        }
        bytes
    }

    /// Closes the channel and waits for the agent to end.
    pub fn close(mut self) -> Option<i32> {
        self.channel.shutdown(std::net::Shutdown::Both).unwrap();
        self.process.wait().unwrap().code()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
