//! A test up to the moment at which its guest may run. Nothing here needs the host's CPUs for itself, so
//! it is done while the guests of other tests run.

use std::path::Path;
use std::time::{Duration, Instant};

use vmm::Config;

use super::directory::write;
use super::guest::{NotBooted, Prepared, Running, boot, config, prepare, words};
use super::runner::Options;
use super::templates::Templates;
use crate::plan::Test;
use crate::run::{Console, Origin};

/// A test whose guest may run any time.
pub struct Ready {
    /// What was built of the test.
    pub prepared: Prepared,
    /// What its guest is booted from, or was.
    pub config: Config,
    /// The console of its guest.
    pub console: Console,
    guest: Guest,
}

enum Guest {
    ToBoot,
    /// A copy of a booted guest, which stands still; starting its machine took this long.
    Copied(Running, Origin, Duration),
}

/// A guest that runs.
pub struct Started {
    /// How it came to life.
    pub origin: Origin,
    /// When, but for the time that it stood still.
    pub at: Instant,
    /// Its machine.
    pub running: Running,
}

impl Ready {
    /// Builds what `test` needs, in `dir`, and makes a copy of a booted guest where there is one.
    ///
    /// # Errors
    /// When anything is missing on the host, does not build, or cannot be written or copied.
    pub fn make(
        test: &Test,
        templates: &Templates,
        options: &Options,
        dir: &Path,
    ) -> Result<Self, NotBooted> {
        let (prepared, booted) = match templates.of(test) {
            Some(template) => template?,
            None => (prepare(test, options)?, None),
        };
        let resolved = serde_saphyr::to_string(&prepared.scenario).map_err(words)?;
        write(&dir.join("scenario.yaml"), resolved.as_bytes()).map_err(words)?;
        let path = dir.join("console.log");
        let mut console = Console::create(&path)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        let Some(booted) = booted else {
            let config = config(test, &prepared.spec, options, dir)?;
            return Ok(Self { prepared, config, console, guest: Guest::ToBoot });
        };
        // What the kernel said while it booted counts for each of its copies.
        console.replay(&booted.template.console)?;
        let begin = Instant::now();
        let running = booted.fork(test, options, dir)?;
        let origin = Origin::Copy(booted.template.past.clone());
        let guest = Guest::Copied(running, origin, begin.elapsed());
        Ok(Self { prepared, config: booted.config.clone(), console, guest })
    }

    /// Boots the guest, or lets the copy of one run.
    ///
    /// # Errors
    /// When the host or the machine refuses.
    pub fn start(
        self,
        test: &Test,
        options: &Options,
    ) -> Result<(Prepared, Config, Console, Started), String> {
        let now = Instant::now();
        let started = match self.guest {
            Guest::ToBoot => {
                let running = boot(test, &self.config, options)?;
                Started { origin: Origin::Boot, at: now, running }
            }
            Guest::Copied(mut running, origin, took) => {
                running.0.resume().map_err(words)?;
                Started { origin, at: now.checked_sub(took).unwrap_or(now), running }
            }
        };
        Ok((self.prepared, self.config, self.console, started))
    }
}
