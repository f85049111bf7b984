//! Waits for a guest to come up, or to wake up as a copy.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use agent_protocol::{Message, Op, Outcome, VERSION};

use super::counters::Counters;
use super::debugger::At;
use super::halt::{Halt, Liveness, Phase};
use super::observation::{Boot, StepRun};
use super::session::{Next, Session};
use crate::scenario::model::Clock;

/// How a guest comes to life.
#[derive(Debug, Clone)]
pub enum Origin {
    /// It boots.
    Boot,
    /// It is a copy of one that did, and did more.
    Copy(Past),
}

/// What a guest did before it was copied.
#[derive(Debug, Clone)]
pub struct Past {
    /// How it came up.
    pub boot: Boot,
    /// Its steps, those of the base among them done.
    pub steps: Vec<StepRun>,
    /// Its counters after that.
    pub before: Option<Counters>,
    /// The first number of a request that the agent has not seen.
    pub next_id: u64,
}

/// Waits for the agent's first message. Without one the session knows why.
pub fn await_agent(session: &mut Session) -> Option<Boot> {
    session.reached(&At::Boot);
    let limit = session.limits().boot;
    let deadline = Instant::now() + limit.saturating_sub(session.elapsed());
    loop {
        match session.next(deadline) {
            Next::Message(Message::Ready { version, release, warnings, .. }) => {
                let boot = Boot { after: session.elapsed(), release, warnings };
                return speaks(session, version).then_some(boot);
            }
            Next::Message(_) | Next::Printed => {}
            Next::Deadline => {
                let state = Liveness::Unknown;
                session.give_up(Halt::Timeout { phase: Phase::Boot, limit, state });
                return None;
            }
            Next::Halted => return None,
        }
    }
}

fn speaks(session: &mut Session, version: u32) -> bool {
    if version != VERSION {
        session.give_up(Halt::Host(format!(
            "the agent in the guest speaks protocol {version}, the harness {VERSION}: \
             build both from the same source"
        )));
    }
    version == VERSION
}

/// Wakes the agent of a copy up: the first proof that the copy lives.
pub fn wake_agent(
    session: &mut Session,
    boot: Boot,
    clock: Clock,
    seed: Option<u64>,
) -> Option<Boot> {
    resume(session, boot, wall(clock), seed)
}

/// Sets the clock of a guest that was booted, whose own is the host's.
pub fn set_clock(session: &mut Session, boot: Boot, clock: Clock) -> Option<Boot> {
    match clock {
        Clock::At(_) => {
            let after = boot.after;
            resume(session, boot, wall(clock), None).map(|boot| Boot { after, ..boot })
        }
        Clock::Host | Clock::Boot => Some(boot),
    }
}

/// Nanoseconds since 1970 that a clock is to be set to, if it is.
fn wall(clock: Clock) -> Option<u64> {
    let since_1970 = match clock {
        Clock::Boot => return None,
        Clock::Host => SystemTime::now().duration_since(UNIX_EPOCH),
        Clock::At(time) => SystemTime::from(time).duration_since(UNIX_EPOCH),
    };
    Some(u64::try_from(since_1970.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX))
}

fn resume(
    session: &mut Session,
    boot: Boot,
    wall_ns: Option<u64>,
    seed: Option<u64>,
) -> Option<Boot> {
    let request = session.request(None, Op::Resume { wall_ns, seed });
    let deadline = Instant::now() + session.limits().grace;
    loop {
        match session.next(deadline) {
            Next::Message(Message::Done { id, outcome }) if id == request => {
                return woken(session, boot, outcome);
            }
            Next::Message(_) | Next::Printed => {}
            Next::Deadline => {
                session.give_up(Halt::Host("the copy of the booted guest does not answer".into()));
                return None;
            }
            Next::Halted => return None,
        }
    }
}

fn woken(session: &mut Session, boot: Boot, outcome: Outcome) -> Option<Boot> {
    if let Outcome::Failed(failure) = outcome {
        let reason = format!("the copy of the booted guest cannot go on: {}", failure.message);
        session.give_up(Halt::Host(reason));
        return None;
    }
    Some(Boot { after: session.elapsed(), ..boot })
}

/// Waits until the console has been silent for `silence` after `start`, up to the session's patience.
pub fn await_silence(
    session: &mut Session,
    silence: Duration,
    start: Instant,
    mut note: impl FnMut(Message),
) {
    let deadline = start + session.limits().grace;
    while Instant::now() < deadline {
        let silent = session.since_output().min(start.elapsed());
        if silent >= silence {
            return;
        }
        let wait = Instant::now() + (silence - silent);
        match session.next(wait.min(deadline)) {
            Next::Message(message) => note(message),
            Next::Printed | Next::Deadline => {}
            Next::Halted => return,
        }
    }
}
