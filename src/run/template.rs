//! A guest that is booted once and copied for each test.

use std::time::Instant;

use inspect::dump::Registers;
use vmm::Saved;

use super::boot::{Past, await_agent};
use super::console::Recording;
use super::driver::{Driver, Stage};
use super::session::Session;
use crate::scenario::model::Scenario;

/// A booted guest at rest.
#[derive(Debug)]
pub struct Template {
    /// The guest, which was asked for nothing but the steps of the base.
    pub saved: Saved,
    /// Registers of its vCPUs.
    pub registers: Vec<Registers>,
    /// How it came up, and what it did.
    pub past: Past,
    /// What it printed until then.
    pub console: Recording,
}

/// Waits for the guest of `session` to come up, has it do the steps of the base of `scenario`, waits for it to come to
/// rest, and saves it.
///
/// # Errors
/// When it does not come up, a step does not do what it should, or it cannot be saved; the words say why.
pub fn freeze(session: Session, scenario: &Scenario, seed: u64) -> Result<Template, String> {
    let mut driver = Driver::new(scenario, seed, session);
    let boot = await_agent(&mut driver.session).ok_or_else(|| why(&driver.session))?;
    if !driver.base_steps(scenario, &|_: Stage| {}) {
        return Err(why(&driver.session));
    }
    // What follows right on the agent's start belongs to the boot, not to the first step of a test.
    driver.settle(Instant::now());
    if driver.session.halt().is_some() {
        return Err(why(&driver.session));
    }
    let past = driver.past(boot);
    let mut session = driver.session;
    let (registers, saved) = session.save_machine().map_err(|error| error.to_string())?;
    let (console, _, _) = session.close();
    let console = console.record().map_err(|error| error.to_string())?;
    Ok(Template { saved, registers, past, console })
}

fn why(session: &Session) -> String {
    session.halt().map_or_else(|| "it did not come up".to_owned(), ToString::to_string)
}
