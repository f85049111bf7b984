//! Boots a guest once for all tests that can be copies of it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use guest_image::image::ImageSpec;
use vmm::Config;

use super::guest::{NotBooted, Prepared, Running, boot, config, prepare, words};
use super::runner::Options;
use super::slots::{Slot, Slots};
use crate::memory::{Layout, Recorder};
use crate::plan::{Test, unmet};
use crate::run::{Console, Limits, Session, Template, freeze};
use crate::scenario::model::Scenario;

/// Bytes of a block, as stat(2) counts them.
const BLOCK: u64 = 512;

/// The templates of a run.
pub struct Templates<'a> {
    groups: Vec<Group<'a>>,
    options: &'a Options,
    slots: Arc<Slots>,
    dir: PathBuf,
}

/// Tests that differ only in what happens after the boot.
struct Group<'a> {
    /// Each without its repetitions.
    tests: Vec<&'a Test>,
    /// How often the guest is wanted, repetitions included.
    wanted: usize,
    booted: OnceLock<Option<Booted>>,
    /// What was built of each test for the template, until the test itself takes it.
    prepared: Mutex<Vec<Option<Prepared>>>,
}

/// A booted guest to copy, and what was put into it.
pub struct Booted {
    /// The guest.
    pub template: Template,
    /// The machine that it was booted on.
    pub config: Config,
    spec: ImageSpec,
    /// What its memory takes of the host's.
    _room: Slot,
}

impl<'a> Templates<'a> {
    /// Groups the tests of which copies can be made; what templates leave goes below `dir`. A test
    /// that is alone, and not run `again`, boots by itself: saving its guest would cost more than it gives.
    /// What is on a disk is no part of what can be copied. One that will be skipped is none: nothing is built for it.
    pub fn new(
        tests: &'a [Test],
        again: bool,
        options: &'a Options,
        slots: &Arc<Slots>,
        dir: &Path,
    ) -> Self {
        let mut groups: Vec<Group<'a>> = Vec::new();
        let can_copy = |test: &&Test| {
            let scenario = &test.loaded.scenario;
            options.forks
                && options.engine.for_machine(&scenario.machine).is_ok()
                && !scenario.fresh_boot
                && scenario.machine.disks.is_empty()
                && unmet(scenario, &test.kernel).is_none()
        };
        for test in tests.iter().filter(can_copy) {
            match groups.iter_mut().find(|group| test.boots_like(group.tests[0])) {
                Some(group) => group.add(test),
                None => groups.push(Group::of(test)),
            }
        }
        groups.retain(|group| again || group.wanted > 1);
        Self { groups, options, slots: Arc::clone(slots), dir: dir.join("templates") }
    }

    /// Whether a guest is booted for `test` of which others are copies.
    pub fn is_led_by(&self, test: &Test) -> bool {
        self.groups.iter().any(|group| std::ptr::eq(group.tests[0], test))
    }

    /// What `test` needs, and the booted guest that it is a copy of, if there is one that holds all of
    /// that; nothing where it is no copy of any. The first test that asks has it booted, and the others wait for that.
    pub fn of(&self, test: &Test) -> Option<Result<(Prepared, Option<&Booted>), NotBooted>> {
        let (group, index) =
            self.groups.iter().find_map(|group| Some((group, group.position(test)?)))?;
        // Without a template each test boots, and tells by itself what is wrong with the kernel.
        let booted = group.booted.get_or_init(|| self.boot(group).ok()).as_ref();
        let prepared = group.take(index, test).map_or_else(|| prepare(test, self.options), Ok);
        Some(prepared.map(|prepared| {
            let holds = booted.filter(|booted| booted.holds(&prepared.spec));
            (prepared, holds)
        }))
    }

    fn boot(&self, group: &Group) -> Result<Booted, String> {
        let test = group.tests[0];
        let dir = self.dir.join(&test.id);
        fs::create_dir_all(&dir).map_err(words)?;
        let spec = group.spec(self.options);
        let config = config(test, &spec, self.options, &dir)?;
        let console = Console::create(&dir.join("console.log")).map_err(words)?;
        let scenario = &test.loaded.scenario;
        let limits = Limits::new(&scenario.timeout, self.options.scale(&scenario.machine));
        let slot = self.slots.take(&scenario.machine);
        let started = Instant::now();
        let (machine, events) = boot(test, &config, self.options)?;
        let keep = self.options.keep.clone();
        let recorder = Recorder::new(dir, config.cpus, config.cmdline.clone(), keep)
            .with_layout(Layout::of(&scenario.machine));
        let session = Session::new(machine, events, console, limits, started, recorder);
        let seed = test.seed(self.options.seed);
        let template = freeze(session, &group.first_scenario(), seed)?;
        let memory = template.saved.memory.metadata().map_err(words)?.blocks() * BLOCK;
        let room = slot.keep_memory(memory);
        Ok(Booted { template, config, spec, _room: room })
    }
}

impl<'a> Group<'a> {
    fn of(test: &'a Test) -> Self {
        let (booted, prepared) = (OnceLock::new(), Mutex::default());
        Self { tests: vec![test], wanted: 1, booted, prepared }
    }

    fn add(&mut self, test: &'a Test) {
        self.wanted += 1;
        if self.position(test).is_none() {
            self.tests.push(test);
        }
    }

    fn position(&self, test: &Test) -> Option<usize> {
        self.tests.iter().position(|member| member.repeats(test))
    }

    /// What the guest is to hold: all that fits together. A test whose needs cannot be met, or are
    /// at odds with those of another, boots by itself.
    fn spec(&self, options: &Options) -> ImageSpec {
        let prepared: Vec<Option<Prepared>> =
            self.tests.iter().map(|test| prepare(test, options).ok()).collect();
        let mut specs = prepared.iter().flatten().map(|prepared| &prepared.spec);
        let first = specs.next().cloned().unwrap_or_default();
        let all = specs.fold(first, |all, spec| all.join(spec).unwrap_or(all));
        *self.prepared.lock().unwrap_or_else(PoisonError::into_inner) = prepared;
        all
    }

    /// The scenario of the first test, with what is known of its modules now.
    fn first_scenario(&self) -> Scenario {
        let prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        let first = prepared.first().and_then(Option::as_ref);
        first.map_or(&self.tests[0].loaded.scenario, |prepared| &prepared.scenario).clone()
    }

    /// What was built of `test`, which is at `index`; a second attempt and a repetition, whose seed is another
    /// one, build anew.
    fn take(&self, index: usize, test: &Test) -> Option<Prepared> {
        if self.tests[index].id != test.id {
            return None;
        }
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index)?.take()
    }
}

impl Booted {
    fn holds(&self, spec: &ImageSpec) -> bool {
        self.spec.join(spec).is_some_and(|all| all == self.spec)
    }

    /// Makes a copy for `test`, which stands still, with its files in `dir`.
    ///
    /// # Errors
    /// When the host or the machine refuses.
    pub fn fork(&self, test: &Test, options: &Options, dir: &Path) -> Result<Running, String> {
        let config = Config { dir: dir.to_owned(), paused: true, ..self.config.clone() };
        let engine = options.engine.for_machine(&test.loaded.scenario.machine).map_err(words)?;
        engine.fork(&config, &self.template.saved).map_err(words)
    }
}
