//! Drives one guest through the steps of a scenario.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use agent_protocol::{Ended, Message, Op, Outcome, Sample, Stream, VERSION};
use vmm::Stop;

use super::action::{kind, operations};
use super::console::Console;
use super::halt::{Halt, Liveness, Phase};
use super::observation::{Boot, Observation, StepRun};
use super::session::{Next, Session};
use crate::results::StepStatus;
use crate::scenario::model::{Action, Expectation, Form, Scenario, Waited};

/// How long the console must be silent after the last step before the guest is switched off: a
/// report may follow the end of the program that provoked it. On KVM; emulation scales it.
const SETTLE: Duration = Duration::from_millis(100);

/// Told what a test is at: `booting`, or a step's id.
pub type OnPhase<'a> = &'a dyn Fn(&str);

/// Boots, runs all steps, switches off, and gives what was seen.
pub fn drive(scenario: &Scenario, seed: u64, session: Session, on_phase: OnPhase) -> Observation {
    let mut driver = Driver::new(scenario, seed, session);
    on_phase("booting");
    if driver.boot() {
        driver.before = driver.sample();
        driver.steps(scenario, on_phase);
        on_phase("ending");
        driver.end();
    }
    driver.observed()
}

struct Driver {
    session: Session,
    seed: u64,
    boot: Option<Boot>,
    steps: Vec<StepRun>,
    before: Option<Sample>,
    after: Option<Sample>,
    /// Index of the step whose program a request started, for its output.
    owners: HashMap<u64, usize>,
    /// The request that spawned the program of a step.
    spawned: HashMap<String, u64>,
    /// Whether the harness asked for the power-off.
    switched_off: bool,
}

/// Why a request has no answer.
enum Unanswered {
    Deadline,
    Halted,
}

impl Driver {
    fn new(scenario: &Scenario, seed: u64, session: Session) -> Self {
        let modules = scenario.modules.iter().map(|module| StepRun::new(&module.name, "module"));
        let steps = scenario.steps.iter().map(|step| StepRun::new(&step.id, kind(&step.action)));
        Self {
            session,
            seed,
            boot: None,
            steps: modules.chain(steps).collect(),
            before: None,
            after: None,
            owners: HashMap::new(),
            spawned: HashMap::new(),
            switched_off: false,
        }
    }

    /// Waits for the agent's first message.
    fn boot(&mut self) -> bool {
        let limit = self.session.limits().boot;
        let deadline = Instant::now() + limit.saturating_sub(self.session.elapsed());
        loop {
            match self.session.next(deadline) {
                Next::Message(Message::Ready { version, release, warnings, .. }) => {
                    let after = self.session.elapsed();
                    self.boot = Some(Boot { after, release, warnings });
                    return self.speaks(version);
                }
                Next::Message(_) | Next::Printed => {}
                Next::Deadline => {
                    let state = Liveness::Unknown;
                    self.session.give_up(Halt::Timeout { phase: Phase::Boot, limit, state });
                    return false;
                }
                Next::Halted => return false,
            }
        }
    }

    fn speaks(&mut self, version: u32) -> bool {
        if version != VERSION {
            self.session.give_up(Halt::Host(format!(
                "the agent in the guest speaks protocol {version}, the harness {VERSION}: \
                 build both from the same source"
            )));
        }
        version == VERSION
    }

    /// Runs the steps until one does not do what it should.
    fn steps(&mut self, scenario: &Scenario, on_phase: OnPhase) {
        for (index, module) in scenario.modules.iter().enumerate() {
            on_phase(&self.steps[index].id);
            let (name, params) = (module.name.clone(), module.params.clone());
            let limit = self.session.limits().step;
            self.step(index, &Action::Load { module: name, params }, limit);
            if !self.may_go_on(index, &[]) {
                return;
            }
        }
        for (index, step) in (scenario.modules.len()..).zip(&scenario.steps) {
            on_phase(&step.id);
            self.step(index, &step.action, self.limit(&step.action, step.timeout.map(|t| t.0)));
            if !self.may_go_on(index, &step.expect) {
                return;
            }
        }
    }

    fn limit(&self, action: &Action, stated: Option<Duration>) -> Duration {
        let limits = self.session.limits();
        let stated = match action {
            Action::WaitFor(wait) => wait.timeout.map(|time| time.0).or(stated),
            _ => stated,
        };
        stated.map_or(limits.step, |stated| limits.scaled(stated))
    }

    /// A step that fails ends the scenario, unless it says how it expects to end.
    fn may_go_on(&self, index: usize, expect: &[Expectation]) -> bool {
        let says_how = expect.iter().any(|e| matches!(e.form, Form::Exit(_) | Form::Signal(_)));
        let step = &self.steps[index];
        self.session.halt().is_none()
            && (step.succeeded() || (says_how && step.status == StepStatus::Done))
    }

    fn step(&mut self, index: usize, action: &Action, limit: Duration) {
        self.steps[index].start = self.session.elapsed();
        self.steps[index].status = StepStatus::Interrupted;
        let deadline = Instant::now() + limit;
        let result = match action {
            Action::Sleep(time) => self.sleep(time.0),
            Action::WaitFor(wait) => self.wait_for(&wait.what, deadline),
            action => self.carry_out(index, action, deadline),
        };
        match result {
            Ok(()) => {}
            Err(Unanswered::Halted) => {}
            Err(Unanswered::Deadline) => self.overdue(index, limit),
        }
        let step = &mut self.steps[index];
        if result.is_ok() && step.status == StepStatus::Interrupted {
            step.status = StepStatus::Done;
        }
        step.duration = self.session.elapsed().saturating_sub(step.start);
    }

    fn carry_out(
        &mut self,
        index: usize,
        action: &Action,
        deadline: Instant,
    ) -> Result<(), Unanswered> {
        let id = self.steps[index].id.clone();
        for op in operations(action, self.seed, |step| self.spawned.get(step).copied()) {
            let request = self.session.request(Some(&id), op);
            self.owners.insert(request, index);
            if matches!(action, Action::Spawn(_)) {
                self.spawned.insert(id.clone(), request);
            }
            let outcome = self.answer(request, deadline)?;
            self.keep(index, outcome);
        }
        Ok(())
    }

    fn keep(&mut self, index: usize, outcome: Outcome) {
        let step = &mut self.steps[index];
        match outcome {
            Outcome::Ended(ended) => step.ended = Some(ended),
            Outcome::Failed(failure) => {
                step.status = StepStatus::Failed;
                step.message = Some(failure.message);
            }
            Outcome::Ok | Outcome::Started { .. } | Outcome::Contents(_) | Outcome::Sample(_) => {}
        }
    }

    fn answer(&mut self, request: u64, deadline: Instant) -> Result<Outcome, Unanswered> {
        loop {
            match self.session.next(deadline) {
                Next::Message(Message::Done { id, outcome }) if id == request => {
                    return Ok(outcome);
                }
                Next::Message(message) => self.note(message),
                Next::Printed => {}
                Next::Deadline => return Err(Unanswered::Deadline),
                Next::Halted => return Err(Unanswered::Halted),
            }
        }
    }

    /// Takes what comes besides answers.
    fn note(&mut self, message: Message) {
        match message {
            Message::Output { id, stream, data } => {
                if let Some(step) = self.owners.get(&id).and_then(|&i| self.steps.get_mut(i)) {
                    match stream {
                        Stream::Stdout => step.stdout.push(data.as_bytes()),
                        Stream::Stderr => step.stderr.push(data.as_bytes()),
                    }
                }
            }
            Message::Exited { id, ended } => self.exited(id, ended),
            Message::Rejected { reason } => self.session.give_up(Halt::Host(format!(
                "the agent does not understand the harness: {reason}"
            ))),
            Message::Ready { .. } | Message::Done { .. } => {}
        }
    }

    fn exited(&mut self, request: u64, ended: Ended) {
        if let Some(step) = self.owners.get(&request).and_then(|&i| self.steps.get_mut(i)) {
            // A `wait` step judges how a spawned program ends; the spawn itself was a success.
            step.message = Some(match (ended.code, ended.signal) {
                (Some(code), _) => format!("its program exited with {code}"),
                (_, Some(signal)) => format!("its program was ended by signal {signal}"),
                _ => "its program ended".to_owned(),
            });
        }
    }

    fn sleep(&mut self, time: Duration) -> Result<(), Unanswered> {
        let deadline = Instant::now() + time;
        loop {
            match self.session.next(deadline) {
                Next::Message(message) => self.note(message),
                Next::Printed => {}
                Next::Deadline => return Ok(()),
                Next::Halted => return Err(Unanswered::Halted),
            }
        }
    }

    fn wait_for(&mut self, what: &Waited, deadline: Instant) -> Result<(), Unanswered> {
        let mut looked = 0;
        loop {
            if self.has_come(what, &mut looked) {
                return Ok(());
            }
            match self.session.next(deadline) {
                Next::Message(message) => self.note(message),
                Next::Printed => {}
                Next::Deadline => return Err(Unanswered::Deadline),
                Next::Halted => return Err(Unanswered::Halted),
            }
        }
    }

    /// `looked` counts the lines that were looked at already.
    fn has_come(&self, what: &Waited, looked: &mut usize) -> bool {
        let console = &self.session.console;
        match what {
            Waited::Console(pattern) => {
                let new = &console.lines[*looked..];
                *looked = console.lines.len();
                new.iter().any(|line| pattern.0.is_match(&line.record.text))
            }
            Waited::Report(kind) | Waited::Event(kind) => {
                console.reports.iter().any(|seen| seen.report.kind.is_within(kind))
            }
        }
    }

    /// A step's limit passed: its program is killed; a guest that does not answer is given up.
    fn overdue(&mut self, index: usize, limit: Duration) {
        let running = self.owners.iter().find(|(_, owner)| **owner == index).map(|(id, _)| *id);
        let state = self.session.ping();
        if state == Liveness::Answers
            && let Some(target) = running
        {
            self.session.request(None, Op::Kill { target, signal: 9 });
        }
        let step = &mut self.steps[index];
        step.status = StepStatus::TimedOut;
        step.message = Some(format!("took more than {:.1}s", limit.as_secs_f64()));
        self.session.give_up(Halt::Timeout { phase: Phase::Step, limit, state });
    }

    fn sample(&mut self) -> Option<Sample> {
        let request = self.session.request(None, Op::Sample);
        let deadline = Instant::now() + self.session.limits().grace;
        match self.answer(request, deadline) {
            Ok(Outcome::Sample(sample)) => Some(sample),
            _ => None,
        }
    }

    /// Lets the console settle, takes the last counters, and switches the guest off.
    fn end(&mut self) {
        if self.session.halt().is_some() {
            return;
        }
        self.settle();
        self.after = self.sample();
        self.switched_off = true;
        self.session.request(None, Op::PowerOff);
        let limit = self.session.limits().grace * 5;
        let deadline = Instant::now() + limit;
        loop {
            match self.session.next(deadline) {
                Next::Message(message) => self.note(message),
                Next::Printed => {}
                Next::Halted => return,
                Next::Deadline => {
                    let state = Liveness::Unknown;
                    return self.session.give_up(Halt::Timeout {
                        phase: Phase::PowerOff,
                        limit,
                        state,
                    });
                }
            }
        }
    }

    fn settle(&mut self) {
        let start = Instant::now();
        let deadline = start + self.session.limits().grace;
        let settle = self.session.limits().scaled(SETTLE);
        while Instant::now() < deadline {
            let silence = self.session.since_output().min(start.elapsed());
            if silence >= settle {
                return;
            }
            let wait = Instant::now() + (settle - silence);
            match self.session.next(wait.min(deadline)) {
                Next::Message(message) => self.note(message),
                Next::Printed | Next::Deadline => {}
                Next::Halted => return,
            }
        }
    }

    fn observed(mut self) -> Observation {
        self.session.linger();
        let (console, halt) = self.session.close();
        let halt = halt.filter(|halt| !(self.switched_off && is_orderly(halt, &console)));
        Observation {
            boot: self.boot,
            steps: self.steps,
            console,
            before: self.before,
            after: self.after,
            halt,
        }
    }
}

/// Whether a guest that was asked to power off ended as it should. One without ACPI cannot switch
/// its machine off, and restarts it instead, saying so.
fn is_orderly(halt: &Halt, console: &Console) -> bool {
    match halt {
        Halt::Stopped(Stop::PowerOff) => true,
        Halt::Stopped(Stop::Reset) => {
            let last = console.lines.iter().rev().take(5);
            last.into_iter().any(|line| line.record.text.starts_with("reboot: Restarting system"))
        }
        _ => false,
    }
}
