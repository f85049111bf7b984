//! Drives one guest through the steps of a scenario.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use agent_protocol::{Ended, Failure, Message, Op, Outcome, Stream};
use vmm::Stop;

use super::action::{kind, operations};
use super::boot::{Origin, Past, await_agent, await_silence, set_clock, wake_agent};
use super::console::Console;
use super::counters::Counters;
use super::debugger::At;
use super::halt::{Halt, Liveness, Phase};
use super::ktap;
use super::lost::fill_in;
use super::modules::Checkpoints;
use super::observation::{Boot, Observation, StepRun};
use super::perturb::Perturbation;
use super::remember;
use super::session::{Next, Session};
use crate::memory::Place;
use crate::results::StepStatus;
use crate::scenario::model::{Action, Cel, Expectation, Form, Perturb, Scenario, WaitFor, Waited};
use crate::verdict;

/// How long the console must be silent after the last step before the guest is switched off: a
/// report may follow the end of the program that provoked it. On KVM; emulation scales it.
const SETTLE: Duration = Duration::from_millis(100);

/// What a test is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage<'a> {
    /// What it needs is built, or awaited.
    Preparing,
    /// Its guest comes up.
    Booting,
    /// A step, by its id.
    Step(&'a str),
    /// After the last step.
    Ending,
    /// The same, and all that is to come is silence.
    Settling,
}

impl fmt::Display for Stage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Preparing => "preparing",
            Self::Booting => "booting",
            Self::Step(id) => id,
            Self::Ending | Self::Settling => "ending",
        })
    }
}

/// Told what a test is at.
pub type OnStage<'a> = &'a dyn Fn(Stage);

/// Boots or wakes up, runs all steps, switches off, and gives what was seen.
pub fn drive(
    scenario: &Scenario,
    seed: u64,
    origin: Origin,
    session: Session,
    on_stage: OnStage,
) -> Observation {
    let mut driver = Driver::new(scenario, seed, session);
    on_stage(Stage::Booting);
    if driver.come_up(origin, scenario) {
        if driver.base_steps(scenario, on_stage) {
            if driver.before.is_none() {
                driver.before = driver.sample();
            }
            let perturbation = driver.perturb(scenario.perturb);
            driver.own_steps(scenario, on_stage);
            drop(perturbation);
        }
        on_stage(if driver.is_copy { Stage::Settling } else { Stage::Ending });
        driver.end();
    }
    driver.observed(scenario)
}

/// How often a wait for an answer looks whether whoever should give it is gone.
const GLANCE: Duration = Duration::from_secs(1);

/// Time between the first two looks into a guest's memory.
const LOOK: Duration = Duration::from_millis(250);

pub(super) struct Driver {
    pub(super) session: Session,
    seed: u64,
    boot: Option<Boot>,
    pub(super) steps: Vec<StepRun>,
    /// Where tests of modules stand.
    pub(super) checkpoints: Checkpoints,
    /// Whether an expectation of the whole scenario speaks of memory.
    pub(super) end_matters: bool,
    before: Option<Counters>,
    after: Option<Counters>,
    /// Index of the step whose program a request started, for its output.
    owners: HashMap<u64, usize>,
    /// The request that spawned the program of a step.
    spawned: HashMap<String, u64>,
    /// Whether the guest is a copy, which is dropped at its end: switching it off proves nothing that
    /// the boots of others do not.
    is_copy: bool,
    /// Whether the harness has ended the guest.
    pub(super) switched_off: bool,
}

/// Why a request has no answer.
pub(super) enum Unanswered {
    Deadline,
    Halted,
}

impl Driver {
    pub(super) fn new(scenario: &Scenario, seed: u64, session: Session) -> Self {
        let modules = scenario.modules.iter().map(|module| StepRun::new(&module.name, "module"));
        let steps = scenario.steps.iter().map(|step| StepRun::new(&step.id, kind(&step.action)));
        Self {
            session,
            seed,
            boot: None,
            steps: modules.chain(steps).collect(),
            end_matters: remember::speaks_of_memory(&scenario.expect),
            checkpoints: Checkpoints::default(),
            before: None,
            after: None,
            owners: HashMap::new(),
            spawned: HashMap::new(),
            is_copy: false,
            switched_off: false,
        }
    }

    /// Waits until the agent serves this guest.
    fn come_up(&mut self, origin: Origin, scenario: &Scenario) -> bool {
        self.is_copy = matches!(origin, Origin::Copy(_));
        self.boot = match origin {
            Origin::Boot => await_agent(&mut self.session)
                .and_then(|boot| set_clock(&mut self.session, boot, scenario.clock)),
            Origin::Copy(past) => {
                self.go_on_from(&past);
                wake_agent(&mut self.session, past.boot, scenario.clock, scenario.seed)
            }
        };
        self.boot.is_some()
    }

    /// What was done so far, for copies of the guest.
    pub(super) fn past(&mut self, boot: Boot) -> Past {
        // A copy's counters begin where these are, and asking for them takes long where their code is new to an emulator.
        let before = self.sample();
        Past { boot, steps: self.steps.clone(), before, next_id: self.session.next_id() }
    }

    fn go_on_from(&mut self, past: &Past) {
        self.session.go_on_from(past.next_id);
        self.before.clone_from(&past.before);
        for (step, done) in self.steps.iter_mut().zip(&past.steps) {
            // Siblings have the same base, and steps of their own.
            if step.id == done.id && done.status == StepStatus::Done {
                step.clone_from(done);
            }
        }
    }

    /// Begins to delay vCPUs, if that is asked for.
    fn perturb(&mut self, asked: Option<Perturb>) -> Option<Perturbation> {
        let asked = asked?;
        let holder = self.session.holder();
        match holder.and_then(|holder| Perturbation::start(holder, asked, self.seed)) {
            Ok(perturbation) => Some(perturbation),
            Err(error) => {
                self.session.give_up(Halt::Host(format!("cannot delay vCPUs: {error}")));
                None
            }
        }
    }

    /// Runs what comes before the scenario's own steps, unless that was done before the guest was copied. Whether all
    /// of it did what it should.
    pub(super) fn base_steps(&mut self, scenario: &Scenario, on_stage: OnStage) -> bool {
        if scenario.base_steps == 0 {
            return true;
        }
        self.load_modules(scenario, on_stage) && self.run_steps(scenario, on_stage, true)
    }

    /// Runs the scenario's own steps until one does not do what it should.
    fn own_steps(&mut self, scenario: &Scenario, on_stage: OnStage) {
        let has_base = scenario.base_steps > 0;
        if (has_base || self.load_modules(scenario, on_stage))
            && self.run_steps(scenario, on_stage, false)
        {
            self.unload_modules(scenario);
        }
    }

    fn load_modules(&mut self, scenario: &Scenario, on_stage: OnStage) -> bool {
        let limit = self.session.limits().step;
        scenario.modules.iter().enumerate().all(|(index, module)| {
            if self.is_done(index) {
                return true;
            }
            on_stage(Stage::Step(&self.steps[index].id));
            let (name, params) = (module.name.clone(), module.params.clone());
            self.step(index, &Action::Load { module: name, params }, limit);
            self.may_go_on(index, &[])
        })
    }

    /// Runs the steps of the scenario's base, or its own.
    fn run_steps(&mut self, scenario: &Scenario, on_stage: OnStage, of_base: bool) -> bool {
        let numbered = scenario.steps.iter().enumerate();
        let mut wanted = numbered.filter(|(number, _)| (*number < scenario.base_steps) == of_base);
        wanted.all(|(number, step)| {
            let index = scenario.modules.len() + number;
            if self.is_done(index) {
                return true;
            }
            on_stage(Stage::Step(&step.id));
            self.step(index, &step.action, self.limit(&step.action, step.timeout.map(|t| t.0)));
            self.remember_step(&step.id, &step.expect);
            self.may_go_on(index, &step.expect)
        })
    }

    /// Whether a step was done before the guest was copied.
    fn is_done(&self, index: usize) -> bool {
        self.steps[index].status == StepStatus::Done
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

    pub(super) fn step(&mut self, index: usize, action: &Action, limit: Duration) {
        self.session.reached(&At::Step(self.steps[index].id.clone()));
        self.steps[index].start = self.session.elapsed();
        self.steps[index].status = StepStatus::Interrupted;
        let deadline = Instant::now() + limit;
        let result = match action {
            Action::Sleep(time) => self.sleep(time.0),
            Action::Checkpoint(name) => self.checkpoint(name, deadline),
            Action::Release(name) => {
                self.release(index, name);
                Ok(())
            }
            Action::WaitFor(WaitFor { what: Waited::Memory(cel), .. }) => {
                self.wait_for_memory(index, cel, deadline)
            }
            Action::WaitFor(wait) => self.wait_for(&wait.what, deadline),
            Action::Snapshot(name) => self.take(index, |session| {
                session.save(Place::Named(name.clone()), &format!("snapshot `{name}`"))
            }),
            Action::Interact(program) => self.interact(index, program.as_deref()),
            Action::Dump(name) => self.take(index, |session| session.dump(name)),
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

    pub(super) fn keep(&mut self, index: usize, outcome: Outcome) {
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
            match self.session.next(deadline.min(Instant::now() + GLANCE)) {
                Next::Message(Message::Done { id, outcome }) if id == request => {
                    return Ok(outcome);
                }
                Next::Message(message) => self.note(message),
                Next::Printed => {}
                Next::Deadline if Instant::now() >= deadline => return Err(Unanswered::Deadline),
                Next::Deadline if self.owners.get(&request).is_some_and(|&i| self.died_in(i)) => {
                    let message = "the kernel died in the module's own code".to_owned();
                    return Ok(Outcome::Failed(Failure { message, errno: None }));
                }
                Next::Deadline => {}
                Next::Halted => return Err(Unanswered::Halted),
            }
        }
    }

    /// Takes what comes besides answers.
    pub(super) fn note(&mut self, message: Message) {
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

    /// Takes the next thing that the guest does.
    pub(super) fn await_more(&mut self, deadline: Instant) -> Result<(), Unanswered> {
        match self.session.next(deadline) {
            Next::Message(message) => self.note(message),
            Next::Printed => {}
            Next::Deadline => return Err(Unanswered::Deadline),
            Next::Halted => return Err(Unanswered::Halted),
        }
        Ok(())
    }

    fn sleep(&mut self, time: Duration) -> Result<(), Unanswered> {
        let deadline = Instant::now() + time;
        loop {
            match self.await_more(deadline) {
                Ok(()) => {}
                Err(Unanswered::Deadline) => return Ok(()),
                Err(Unanswered::Halted) => return Err(Unanswered::Halted),
            }
        }
    }

    fn wait_for(&mut self, what: &Waited, deadline: Instant) -> Result<(), Unanswered> {
        let mut looked = 0;
        loop {
            if self.has_come(what, &mut looked) {
                return Ok(());
            }
            self.await_more(deadline)?;
        }
    }

    /// Looks into the guest until `cel` is true, less and less often: it stands still for each look.
    fn wait_for_memory(
        &mut self,
        index: usize,
        cel: &Cel,
        deadline: Instant,
    ) -> Result<(), Unanswered> {
        let mut kernel = None;
        let mut pause = LOOK;
        loop {
            match self.session.look(&mut kernel, |kernel| verdict::holds_now(cel, kernel)) {
                Ok(Ok(true)) => return Ok(()),
                Ok(Ok(false)) => {}
                Ok(Err(why)) | Err(why) => {
                    self.fail(index, why);
                    return Ok(());
                }
            }
            if Instant::now() >= deadline {
                return Err(Unanswered::Deadline);
            }
            self.sleep(pause.min(deadline.saturating_duration_since(Instant::now())))?;
            pause = (pause * 2).min(LOOK * 8);
        }
    }

    /// A step that the harness does to the guest.
    fn take(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Session) -> Result<(), String>,
    ) -> Result<(), Unanswered> {
        if let Err(why) = act(&mut self.session) {
            self.fail(index, why);
        }
        Ok(())
    }

    pub(super) fn fail(&mut self, index: usize, why: String) {
        self.steps[index].status = StepStatus::Failed;
        self.steps[index].message = Some(why);
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
            Waited::Memory(_) => false,
        }
    }

    /// A step's limit passed: its program is killed; a guest that does not answer is given up.
    pub(super) fn overdue(&mut self, index: usize, limit: Duration) {
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

    fn sample(&mut self) -> Option<Counters> {
        let request = self.session.request(None, Op::Sample);
        let deadline = Instant::now() + self.session.limits().grace;
        match self.answer(request, deadline) {
            Ok(Outcome::Sample(sample)) => Some(sample.into()),
            _ => None,
        }
    }

    /// Lets the console settle, takes the last counters, and switches the guest off.
    fn end(&mut self) {
        if self.session.halt().is_some() {
            return;
        }
        self.after = self.settled();
        self.remember_end();
        self.switched_off = true;
        if self.is_copy {
            return;
        }
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

    /// Waits for silence; the counters at the end of it, which are asked for meanwhile. They count if nothing came after them.
    fn settled(&mut self) -> Option<Counters> {
        let start = Instant::now();
        let counters = self.sample();
        let printed = self.session.console.bytes;
        self.settle(start);
        if self.session.console.bytes == printed { counters } else { self.sample() }
    }

    /// Waits until the console has been silent for a while after `start`.
    pub(super) fn settle(&mut self, start: Instant) {
        let silence = self.session.limits().scaled(SETTLE);
        let mut messages = Vec::new();
        await_silence(&mut self.session, silence, start, |message| messages.push(message));
        messages.into_iter().for_each(|message| self.note(message));
    }

    fn observed(mut self, scenario: &Scenario) -> Observation {
        self.session.linger();
        self.remember_death();
        let counted = self.session.counted();
        let (mut console, halt, memory) = self.session.close();
        let halt = halt.filter(|halt| !(self.switched_off && is_orderly(halt, &console)));
        if self.switched_off && halt.is_none() {
            console.forget_life_after_power_down();
        }
        let lost = memory.crash.as_deref().and_then(|path| fill_in(&mut console, path));
        let loads: Vec<&str> = self
            .steps
            .iter()
            .filter(|step| matches!(step.kind, "module" | "load"))
            .map(|step| step.id.as_str())
            .collect();
        Observation {
            ktap: ktap::collect(&console, &loads),
            suites: suites_loaded(scenario, &self.steps),
            boot: self.boot,
            counted,
            steps: self.steps,
            console,
            before: self.before,
            after: self.after,
            halt,
            memory,
            lost,
        }
    }
}

/// The modules made of tests that were loaded.
fn suites_loaded(scenario: &Scenario, steps: &[StepRun]) -> Vec<String> {
    let loaded = |name: &str| {
        steps.iter().any(|step| step.kind == "module" && step.id == name && step.succeeded())
    };
    let suites = scenario.modules.iter().filter(|module| module.suite);
    suites.map(|module| module.name.clone()).filter(|name| loaded(name)).collect()
}

/// Whether a guest that was to end did so as it should. A copy is ended by the harness. A guest
/// without ACPI cannot switch its machine off, and restarts it instead, saying so.
pub(super) fn is_orderly(halt: &Halt, console: &Console) -> bool {
    match halt {
        Halt::Stopped(Stop::PowerOff | Stop::Asked) => true,
        Halt::Stopped(Stop::Reset) => {
            let last = console.lines.iter().rev().take(5);
            last.into_iter().any(|line| line.record.text.starts_with("reboot: Restarting system"))
        }
        _ => false,
    }
}
