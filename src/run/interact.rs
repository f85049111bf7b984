//! A person, or a program at the other end of a pipe, has the guest: keys go in, output comes out.

use std::io::{self, IsTerminal, Read, Write};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use agent_protocol::{Command, Data, Message, Op, Outcome, Stream, TerminalSize};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use super::driver::{Driver, Unanswered};
use super::session::Next;

/// How long a key waits at most before it is sent.
const TICK: Duration = Duration::from_millis(10);

/// Ctrl-], as telnet and virsh have it: gives a guest up that hangs.
const ESCAPE: u8 = 0x1d;

/// Most that a pipe may hold for the guest's program: it is sent in one message.
const MOST_PIPED: u64 = 8 << 20;

impl Driver {
    /// Runs `program`, or a shell, with the harness's own input and output, until it ends.
    pub(super) fn interact(
        &mut self,
        index: usize,
        program: Option<&[String]>,
    ) -> Result<(), Unanswered> {
        let argv = program.map_or_else(|| vec!["sh".to_owned()], <[String]>::to_vec);
        let mut command = Command { argv, env: environment(), ..Command::default() };
        let mut keyboard = Keyboard::open();
        match &keyboard {
            Some(keyboard) => command.terminal = Some(keyboard.size),
            None => match piped() {
                Ok(input) => command.stdin = Some(input),
                Err(error) => {
                    self.fail(index, format!("cannot read standard input: {error}"));
                    return Ok(());
                }
            },
        }
        let id = self.steps[index].id.clone();
        let request = self.session.request(Some(&id), Op::Run(command));
        let outcome = self.converse(index, request, keyboard.as_mut())?;
        match outcome {
            // The exit code of a shell is that of its last line, and says nothing of the guest.
            Outcome::Ended(_) if program.is_none() => {}
            outcome => self.keep(index, outcome),
        }
        Ok(())
    }

    fn converse(
        &mut self,
        index: usize,
        request: u64,
        mut keyboard: Option<&mut Keyboard>,
    ) -> Result<Outcome, Unanswered> {
        let begun = Instant::now();
        let mut told = self.session.console.reports.len();
        loop {
            match self.session.next(Instant::now() + TICK) {
                Next::Message(Message::Done { id, outcome }) if id == request => {
                    return Ok(outcome);
                }
                Next::Message(Message::Output { id, stream, data }) if id == request => {
                    show(stream, data.as_bytes());
                }
                Next::Message(message) => self.note(message),
                Next::Printed => self.tell_reports(&mut told, keyboard.is_some()),
                Next::Halted => return Err(Unanswered::Halted),
                Next::Deadline => {}
            }
            let Some(keys) = &mut keyboard else { continue };
            let Some(news) = keys.news(request) else {
                self.overdue(index, begun.elapsed());
                return Err(Unanswered::Halted);
            };
            for op in news {
                self.session.request(None, op);
            }
        }
    }

    /// Says at once what the kernel complains about: its console goes to a file.
    fn tell_reports(&self, told: &mut usize, raw: bool) {
        let end = if raw { "\r\n" } else { "\n" };
        for seen in self.session.console.reports.iter().skip(*told) {
            eprint!("{end}[kernel report {}: {}]{end}", seen.report.kind, seen.report.title);
        }
        *told = self.session.console.reports.len();
    }
}

fn show(stream: Stream, bytes: &[u8]) {
    // A closed pipe ends nothing: the guest goes on, and its console is kept.
    let _ = match stream {
        Stream::Stdout => io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()),
        Stream::Stderr => io::stderr().write_all(bytes),
    };
}

/// What programs need to know about the terminal that they are shown on.
fn environment() -> std::collections::BTreeMap<String, String> {
    let term = std::env::var("TERM").unwrap_or_else(|_| "dumb".into());
    [("TERM", term.as_str()), ("HOME", "/root"), ("PS1", "guest:\\w# ")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// All of standard input, which is no terminal.
fn piped() -> io::Result<Data> {
    let mut input = Vec::new();
    io::stdin().take(MOST_PIPED + 1).read_to_end(&mut input)?;
    if input.len() as u64 > MOST_PIPED {
        let words = format!("more than {} MiB; put it into a file of the guest", MOST_PIPED >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, words));
    }
    Ok(Data::from(input))
}

/// The harness's terminal, which passes every key on while this lives.
struct Keyboard {
    keys: Receiver<Vec<u8>>,
    size: TerminalSize,
    before: Termios,
}

impl Keyboard {
    /// Takes the terminal over; `None` where standard input is none.
    fn open() -> Option<Self> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return None;
        }
        let (before, size) = (tcgetattr(&stdin).ok()?, size()?);
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Now, &raw).ok()?;
        let (typed, keys) = channel();
        // It cannot be woken from its read, and ends with the process.
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = io::stdin().read(&mut chunk) {
                if typed.send(chunk[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Some(Self { keys, size, before })
    }

    /// The new size, and what was typed since; `None` for the key that gives the guest up.
    fn news(&mut self, target: u64) -> Option<Vec<Op>> {
        let mut news = Vec::new();
        if let Some(size) = size().filter(|size| *size != self.size) {
            self.size = size;
            news.push(Op::Resize { target, size });
        }
        match self.keys.try_recv() {
            Ok(keys) if keys.contains(&ESCAPE) => return None,
            Ok(keys) => news.push(Op::Type { target, data: Data::from(keys) }),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
        }
        Some(news)
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

fn size() -> Option<TerminalSize> {
    let size = tcgetwinsize(io::stdin()).ok()?;
    // A terminal that nobody looks at has no size.
    let (rows, columns) = if size.ws_row == 0 { (24, 80) } else { (size.ws_row, size.ws_col) };
    Some(TerminalSize { rows, columns })
}
