//! QEMU's machine protocol: commands and events as JSON lines.
//!
//! Source: QEMU's documentation, "QEMU Machine Protocol Specification".

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

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
    lines: io::Lines<BufReader<UnixStream>>,
    answers: Sender<Result<Value, String>>,
}

/// An event: its name and its data.
pub(super) type QmpEvent = (String, Value);

pub(super) fn connect(stream: UnixStream) -> io::Result<(Client, Listener)> {
    let (sender, answers) = channel();
    let lines = BufReader::new(stream.try_clone()?).lines();
    Ok((Client { stream, answers }, Listener { lines, answers: sender }))
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
