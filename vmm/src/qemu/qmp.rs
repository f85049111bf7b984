//! QEMU's machine protocol: commands and events as JSON lines.
//!
//! Source: QEMU's documentation, "QEMU Machine Protocol Specification".

use std::fs::File;
use std::io::{self, BufRead, BufReader, IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde_json::{Value, json};

/// QEMU answers every command that the harness uses at once; a loaded host may need a while.
const ANSWER: Duration = Duration::from_secs(30);

/// The commanding half of a QMP connection.
pub(super) struct Client {
    stream: UnixStream,
    answers: Receiver<Result<Value, String>>,
}

/// The listening half: every line that QEMU sends.
pub(super) struct Listener {
    stream: UnixStream,
    lines: io::Lines<BufReader<UnixStream>>,
    answers: Sender<Result<Value, String>>,
}

/// An event: its name and its data.
pub(super) type QmpEvent = (String, Value);

pub(super) fn connect(stream: UnixStream) -> io::Result<(Client, Listener)> {
    let (sender, answers) = channel();
    let lines = BufReader::new(stream.try_clone()?).lines();
    let listener = Listener { stream: stream.try_clone()?, lines, answers: sender };
    Ok((Client { stream, answers }, listener))
}

impl Client {
    /// Runs one command and gives its return value.
    pub fn execute(&mut self, command: &str, arguments: Value) -> io::Result<Value> {
        let mut request = json!({ "execute": command });
        if !arguments.is_null() {
            request["arguments"] = arguments;
        }
        let mut line = serde_json::to_vec(&request)?;
        line.push(b'\n');
        self.stream.write_all(&line)?;
        self.answer(command)
    }

    /// Hands an open file over, under `name`.
    pub fn give_file(&mut self, name: &str, file: &File) -> io::Result<()> {
        let request = json!({ "execute": "getfd", "arguments": { "fdname": name } });
        let line = serde_json::to_vec(&request)?;
        let fds = [file.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&fds));
        let flags = SendFlags::empty();
        sendmsg(&self.stream, &[IoSlice::new(&line)], &mut ancillary, flags)?;
        self.answer("getfd").map(drop)
    }

    fn answer(&mut self, command: &str) -> io::Result<Value> {
        match self.answers.recv_timeout(ANSWER) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(reason)) => Err(io::Error::other(format!("QEMU refuses {command}: {reason}"))),
            Err(_) => Err(io::Error::other(format!("QEMU does not answer {command}"))),
        }
    }

    /// Leaves negotiation mode; events flow from here on.
    pub fn negotiate(&mut self) -> io::Result<()> {
        self.execute("qmp_capabilities", Value::Null).map(drop)
    }
}

/// Marks the answers to the listener's own questions.
const OWN: &str = "listener";

impl Listener {
    /// Asks a QEMU whose guest has ended for the registers of all vCPUs, in the words of `info
    /// registers`, and lets it go. Fewer than asked for where QEMU does not say.
    pub fn take_leave(&mut self, cpus: u32) -> Vec<String> {
        let registers = (0..cpus).map_while(|cpu| self.ask_registers(cpu)).collect();
        // Gone already is as good.
        let _ = self.send(&json!({ "execute": "quit" }));
        registers
    }

    fn ask_registers(&mut self, cpu: u32) -> Option<String> {
        let arguments = json!({ "command-line": "info registers", "cpu-index": cpu });
        let request =
            json!({ "execute": "human-monitor-command", "arguments": arguments, "id": OWN });
        self.send(&request).ok()?;
        loop {
            let message: Value = serde_json::from_str(&self.lines.next()?.ok()?).ok()?;
            if message["id"] == OWN {
                return message["return"].as_str().map(str::to_owned);
            }
        }
    }

    fn send(&mut self, request: &Value) -> io::Result<()> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        self.stream.write_all(&line)
    }
}

impl Iterator for Listener {
    type Item = QmpEvent;

    /// The next event; answers go to the client on the way. `None` when QEMU is gone.
    fn next(&mut self) -> Option<QmpEvent> {
        loop {
            let line = self.lines.next()?.ok()?;
            let Ok(mut message) = serde_json::from_str::<Value>(&line) else {
                continue;
            };
            if let Some(name) = message["event"].as_str() {
                return Some((name.to_owned(), message["data"].take()));
            }
            if let Some(answer) = answer(&mut message) {
                // A client that gave up waiting is no reason to stop listening.
                let _ = self.answers.send(answer);
            }
        }
    }
}

fn answer(message: &mut Value) -> Option<Result<Value, String>> {
    if let Some(value) = message.get_mut("return") {
        return Some(Ok(value.take()));
    }
    let reason = message.get("error")?["desc"].as_str().unwrap_or("no reason given");
    Some(Err(reason.to_owned()))
}
