//! The conversation with one running guest: every wait ends at a deadline.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use agent_protocol::{LineBuffer, Message, Op, Request, encode};
use vmm::{Event, Machine, Stop};

use super::console::Console;
use super::halt::{Halt, Liveness, Phase};
use super::interrupt;
use super::limits::Limits;

/// How often a wait looks whether Ctrl-C was pressed.
const TICK: Duration = Duration::from_millis(50);

/// Silence that ends a kernel report.
const SILENCE: Duration = Duration::from_secs(1);

/// A running guest, its console and its agent.
pub struct Session {
    machine: Box<dyn Machine>,
    events: Receiver<Event>,
    wire: LineBuffer,
    inbox: VecDeque<Message>,
    next_id: u64,
    limits: Limits,
    started: Instant,
    last_sign: Instant,
    last_output: Instant,
    halt: Option<Halt>,
    ended: bool,
    panicked: Option<Instant>,
    agent_spoke: bool,
    asked_for_sign: Option<Instant>,
    /// What the guest printed.
    pub console: Console,
}

/// What a wait came to.
pub enum Next {
    /// The agent said something.
    Message(Message),
    /// The guest printed something.
    Printed,
    /// The deadline passed.
    Deadline,
    /// The guest will not be driven any further.
    Halted,
}

impl Session {
    /// Takes over a machine that was just started.
    pub fn new(
        machine: Box<dyn Machine>,
        events: Receiver<Event>,
        console: Console,
        limits: Limits,
        started: Instant,
    ) -> Self {
        let now = Instant::now();
        Self {
            machine,
            events,
            wire: LineBuffer::default(),
            inbox: VecDeque::new(),
            next_id: 1,
            limits,
            started,
            last_sign: now,
            last_output: now,
            halt: None,
            ended: false,
            panicked: None,
            agent_spoke: false,
            asked_for_sign: None,
            console,
        }
    }

    /// Why the guest is not driven any further, if that is so.
    pub fn halt(&self) -> Option<&Halt> {
        self.halt.as_ref()
    }

    /// The limits that this guest has.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Time since the machine was started.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Time since the guest last printed on its console.
    pub fn since_output(&self) -> Duration {
        self.last_output.elapsed()
    }

    /// Gives the guest up for the reason `halt`, unless it has ended already.
    pub fn give_up(&mut self, halt: Halt) {
        self.halt.get_or_insert(halt);
    }

    /// Sends a request and gives its id.
    pub fn request(&mut self, step: Option<&str>, op: Op) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        if let Some(step) = step {
            self.console.expect_marker(step);
        }
        let request = Request { id, step: step.map(str::to_owned), op };
        let sent = encode(&request)
            .map_err(io::Error::from)
            .and_then(|line| self.machine.send_control(&line));
        if let Err(error) = sent {
            self.channel_failed(&error);
        }
        id
    }

    /// A write fails because the machine ended, which its own event tells better, or because the
    /// channel is gone.
    fn channel_failed(&mut self, error: &io::Error) {
        let patience = Instant::now() + Duration::from_secs(1);
        while !matches!(self.next(patience), Next::Deadline | Next::Halted) {}
        self.give_up(Halt::AgentLost(format!("cannot send to it: {error}")));
    }

    /// Waits for the next thing to happen, up to `deadline` and to the quiet and total limits.
    pub fn next(&mut self, deadline: Instant) -> Next {
        loop {
            if let Some(message) = self.inbox.pop_front() {
                return Next::Message(message);
            }
            if self.halt.is_some() {
                return Next::Halted;
            }
            let now = Instant::now();
            if now >= deadline {
                return Next::Deadline;
            }
            if let Some(halt) = self.overdue(now) {
                self.give_up(halt);
                return Next::Halted;
            }
            if self.wait(deadline.min(now + TICK)) {
                return Next::Printed;
            }
        }
    }

    fn overdue(&self, now: Instant) -> Option<Halt> {
        let timeout = |phase, limit, state| Halt::Timeout { phase, limit, state };
        let silent = if self.agent_spoke { Liveness::Silent } else { Liveness::Unknown };
        if interrupt::pressed() {
            Some(Halt::Interrupted)
        } else if self.panicked.is_some_and(|at| now.duration_since(at) > self.limits.grace) {
            Some(Halt::Panicked)
        } else if now.duration_since(self.started) > self.limits.total {
            Some(timeout(Phase::Total, self.limits.total, Liveness::Unknown))
        } else if now.duration_since(self.last_sign) > self.limits.quiet {
            Some(timeout(Phase::Quiet, self.limits.quiet, silent))
        } else {
            None
        }
    }

    /// Takes one event, if one comes until then; tells whether it was console output.
    fn wait(&mut self, until: Instant) -> bool {
        let before = self.console.bytes;
        match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(event) => self.take(event),
            Err(RecvTimeoutError::Timeout) => {
                self.look_at_silence();
                self.keep_alive();
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.give_up(Halt::Host("the machine's threads ended without a word".into()));
            }
        }
        self.console.bytes > before
    }

    /// A kernel that has printed nothing for this long is done with the report that it began.
    fn look_at_silence(&mut self) {
        if self.last_output.elapsed() > SILENCE {
            self.console.flush();
            self.look_for_panic();
        }
    }

    /// A step may be silent for long and well: the guest is asked for a sign of life in time, so that
    /// the quiet limit means a guest that does not answer.
    fn keep_alive(&mut self) {
        let asked = self.asked_for_sign.is_some_and(|at| at >= self.last_sign);
        if self.agent_spoke && !asked && self.last_sign.elapsed() > self.limits.quiet / 2 {
            self.asked_for_sign = Some(Instant::now());
            self.request(None, Op::Ping);
        }
    }

    fn look_for_panic(&mut self) {
        if self.panicked.is_none() && self.console.panicked() {
            self.panicked = Some(Instant::now());
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Console(bytes) => self.printed(&bytes),
            Event::Control(bytes) => self.received(&bytes),
            Event::ControlClosed => {
                self.give_up(Halt::AgentLost("it closed the control channel".into()));
            }
            Event::Panicked => drop(self.panicked.get_or_insert_with(Instant::now)),
            Event::Stopped(stop) => self.stopped(stop),
        }
    }

    fn printed(&mut self, bytes: &[u8]) {
        self.last_sign = Instant::now();
        self.last_output = self.last_sign;
        if let Err(reason) = self.console.feed(bytes) {
            self.give_up(Halt::Host(reason));
        }
        self.look_for_panic();
    }

    fn received(&mut self, bytes: &[u8]) {
        self.last_sign = Instant::now();
        self.agent_spoke = true;
        self.wire.push(bytes);
        while let Some(message) = self.wire.pop() {
            match message {
                Ok(message) => self.inbox.push_back(message),
                Err(error) => self.give_up(Halt::AgentLost(error.to_string())),
            }
        }
    }

    fn stopped(&mut self, stop: Stop) {
        self.ended = true;
        // A machine that ended by itself tells more than a channel that closed because of it.
        let lost = matches!(self.halt, Some(Halt::AgentLost(_))) && stop != Stop::Asked;
        if lost || self.halt.is_none() {
            self.halt = Some(Halt::Stopped(stop));
        }
    }

    /// After a halt that may have a deeper cause, waits a little for the machine to show it: a lost
    /// agent may be a dying kernel, and a panic's last lines come late.
    pub fn linger(&mut self) {
        if matches!(self.halt, Some(Halt::AgentLost(_) | Halt::Panicked)) {
            self.watch_the_end(self.limits.grace);
        }
    }

    /// Waits until the machine has stopped or `patience` is over, keeping what it still prints.
    fn watch_the_end(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while !self.ended && Instant::now() < deadline {
            match self.events.recv_timeout(TICK) {
                Ok(event) => self.take(event),
                Err(RecvTimeoutError::Timeout) if interrupt::pressed() => return,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Asks the agent whether it is there.
    pub fn ping(&mut self) -> Liveness {
        let id = self.request(None, Op::Ping);
        let deadline = Instant::now() + self.limits.grace;
        let mut others = VecDeque::new();
        let answer = loop {
            match self.next(deadline) {
                Next::Message(Message::Done { id: done, .. }) if done == id => {
                    break Liveness::Answers;
                }
                Next::Message(message) => others.push_back(message),
                Next::Printed => {}
                Next::Deadline | Next::Halted => break Liveness::Silent,
            }
        };
        others.append(&mut self.inbox);
        self.inbox = others;
        answer
    }

    /// Ends the guest and keeps what it said last.
    pub fn close(mut self) -> (Console, Option<Halt>) {
        self.machine.stop();
        self.watch_the_end(Duration::from_secs(10));
        self.console.finish();
        (self.console, self.halt)
    }
}
