//! The conversation with one running guest: every wait ends at a deadline.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use agent_protocol::{Framing, LineBuffer, Message, Op, Request, encode};
use inspect::Kernel;
use inspect::dump::Registers;
use vmm::{Event, HoldCpus, Machine, Saved, Stop};

use super::console::Console;
use super::debugger::{At, Debugger};
use super::halt::{Halt, Liveness, Phase};
use super::interrupt;
use super::limits::Limits;
use crate::memory::{Memory, Place, Recorder};

// The machine counts what the agent acknowledges, and knows no more of its protocol.
const _: () = assert!(vmm::ACKNOWLEDGED == agent_protocol::RECEIVED);

/// How often a wait looks whether Ctrl-C was pressed.
const TICK: Duration = Duration::from_millis(50);

/// Silence that ends a kernel report.
const SILENCE: Duration = Duration::from_secs(1);

/// Below this address, guest-physical memory is laid out as the RAM file is, on every backend.
const ONE_TO_ONE: u64 = 2 << 30;

/// A running guest, its console and its agent.
pub struct Session {
    machine: Box<dyn Machine>,
    events: Receiver<Event>,
    framing: Framing,
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
    asked_for_sign: Instant,
    recorder: Recorder,
    debugger: Option<Debugger>,
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
        recorder: Recorder,
    ) -> Self {
        let now = Instant::now();
        let framing = if machine.control_is_serial() { Framing::Frames } else { Framing::Lines };
        Self {
            machine,
            events,
            framing,
            wire: LineBuffer::new(framing),
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
            asked_for_sign: now,
            recorder,
            debugger: None,
            console,
        }
    }

    /// The same, with a debugger.
    pub fn debugged_by(self, debugger: Option<Debugger>) -> Self {
        Self { debugger, ..self }
    }

    /// The guest is at `moment`, at which a debugger may want to stop it.
    pub fn reached(&mut self, moment: &At) {
        let Some(debugger) = &mut self.debugger else { return };
        if let Err(error) = debugger.reached(moment, &mut *self.machine) {
            self.give_up(Halt::Host(format!("cannot stop the guest for gdb: {error}")));
        }
    }

    /// What the machine counted of itself.
    pub fn counted(&self) -> Vec<(String, f64)> {
        self.machine.metrics()
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

    /// Writes guest-physical memory while the guest runs.
    ///
    /// # Errors
    /// When there is no memory at that address.
    pub fn write_memory(&self, address: u64, bytes: &[u8]) -> Result<(), String> {
        if address >= ONE_TO_ONE {
            return Err(format!("the guest's memory at {address:#x} is too high up to be written"));
        }
        let offset = address
            .checked_sub(self.machine.ram_base())
            .ok_or_else(|| format!("the guest has no memory at {address:#x}: it begins above"))?;
        self.machine.ram().write(offset, bytes).map_err(|error| error.to_string())
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
        let sent = encode(&request, self.framing)
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
        let last = self.last_sign.max(self.asked_for_sign);
        if self.agent_spoke && last.elapsed() > self.limits.sign {
            self.asked_for_sign = Instant::now();
            self.request(None, Op::Ping);
        }
    }

    fn look_for_panic(&mut self) {
        if self.panicked.is_none() && self.console.panicked() {
            self.panicked = Some(Instant::now());
        }
        if !self.console.reports.is_empty() {
            self.reached(&At::Report);
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

    /// The number of the next request.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Numbers requests from `next_id` on: the agent knows those below.
    pub fn go_on_from(&mut self, next_id: u64) {
        self.next_id = next_id;
    }

    /// What delays the guest's vCPUs.
    ///
    /// # Errors
    /// When the machine cannot do that.
    pub fn holder(&mut self) -> io::Result<Box<dyn HoldCpus>> {
        self.machine.holder()
    }

    /// Pauses the guest and saves it, with its registers for who looks into it, for copies to go on from here. It does not run again.
    ///
    /// # Errors
    /// When the machine cannot be paused or saved.
    pub fn save_machine(&mut self) -> io::Result<(Vec<Registers>, Saved)> {
        self.machine.pause()?;
        let registers = self.recorder.registers(&mut *self.machine);
        Ok((registers, self.machine.save()?))
    }

    /// Ends the guest and keeps what it said last.
    pub fn close(mut self) -> (Console, Option<Halt>, Memory) {
        self.machine.stop();
        self.watch_the_end(Duration::from_secs(10));
        self.console.finish();
        (self.console, self.halt, self.recorder.into_memory())
    }

    /// Saves the guest's memory and registers.
    ///
    /// # Errors
    /// When the guest cannot be paused or saved.
    pub fn save(&mut self, place: Place, reason: &str) -> Result<(), String> {
        self.paused(|recorder, machine| recorder.save(machine, place, reason))
    }

    /// Writes a vmcore of the guest.
    ///
    /// # Errors
    /// When the guest cannot be paused or written.
    pub fn dump(&mut self, name: &str) -> Result<(), String> {
        self.paused(|recorder, machine| recorder.dump(machine, name))
    }

    /// Looks at the kernel in the guest, which `known` keeps from one look to the next.
    ///
    /// # Errors
    /// When the guest cannot be paused, or has no kernel in it.
    pub fn look<T>(
        &mut self,
        known: &mut Option<Arc<Kernel>>,
        look: impl FnOnce(&Arc<Kernel>) -> T,
    ) -> Result<T, String> {
        self.paused(|recorder, machine| {
            let kernel = match known.take() {
                Some(kernel) => recorder.attach_again(kernel, machine)?,
                None => Arc::new(recorder.attach(machine)?),
            };
            let seen = look(&kernel);
            *known = Some(kernel);
            Ok(seen)
        })
    }

    /// Takes note of a snapshot that was not taken.
    pub fn missed(&mut self, why: String) {
        self.recorder.missed(why);
    }

    /// Does something while the guest stands still. One that has ended does so anyway.
    fn paused<T>(
        &mut self,
        act: impl FnOnce(&mut Recorder, &mut dyn Machine) -> Result<T, String>,
    ) -> Result<T, String> {
        let words = |error: io::Error| format!("cannot pause the guest: {error}");
        if !self.ended {
            self.machine.pause().map_err(words)?;
        }
        let result = act(&mut self.recorder, &mut *self.machine);
        if !self.ended {
            self.machine.resume().map_err(words)?;
        }
        // It could not speak meanwhile.
        self.last_sign = Instant::now();
        result
    }
}
