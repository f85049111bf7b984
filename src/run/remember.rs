//! When the memory of a guest is saved without being asked for.

use super::driver::{Driver, is_orderly};
use super::halt::Halt;
use crate::memory::Place;
use crate::scenario::model::{Expectation, Form};
use vmm::Stop;

/// Reports after which a kernel, or the task that it killed, is not what it was.
const KILLS: [&str; 3] = ["oops", "bug", "double-fault"];

/// Whether one of `expectations` wants guest memory.
pub fn speaks_of_memory(expectations: &[Expectation]) -> bool {
    expectations.iter().any(|expectation| match &expectation.form {
        Form::Cel(cel) => cel.mentions().memory(),
        _ => false,
    })
}

impl Driver {
    /// After a step whose expectations speak of memory.
    pub(super) fn remember_step(&mut self, id: &str, expect: &[Expectation]) {
        if speaks_of_memory(expect) {
            self.remember(Place::Step(id.to_owned()), &format!("after step {id}"));
        }
    }

    /// Before a guest is switched off.
    pub(super) fn remember_end(&mut self) {
        let reports = &self.session.console.reports;
        let oops = reports.iter().find(|seen| {
            seen.led_to_panic() || KILLS.iter().any(|kind| seen.report.kind.is_within(kind))
        });
        if let Some(reason) = oops.map(|seen| seen.report.title.clone()) {
            self.remember(Place::Crash, &reason);
        } else if self.end_matters {
            self.remember(Place::End, "end of the scenario");
        }
    }

    /// A guest that crashed, hangs or took too long, whether it still stands or not.
    pub(super) fn remember_death(&mut self) {
        let Some(halt) = self.session.halt().cloned() else { return };
        let told =
            matches!(halt, Halt::Host(_) | Halt::Interrupted | Halt::Stopped(Stop::Internal(_)));
        let orderly = self.switched_off && is_orderly(&halt, &self.session.console);
        if !told && !orderly {
            self.remember(Place::Crash, &halt.to_string());
        }
    }

    fn remember(&mut self, place: Place, reason: &str) {
        if let Err(why) = self.session.save(place, reason) {
            self.session.missed(format!("no snapshot was taken: {why}"));
        }
    }
}
