//! Boots a guest once for all tests that can be copies of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use guest_image::image::ImageSpec;
use vmm::{Config, Saved};

use super::guest::{NotBooted, Prepared, Running, bare_config, boot, config, prepare, words};
use super::runner::Options;
use super::slots::{Slot, Slots};
use crate::memory::{Layout, Recorder};
use crate::plan::{Test, unmet};
use crate::run::{Console, Limits, Recording, Session, Template, freeze};
use crate::saved_boot::{self, About, Identity, SavedBoot, Target};
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
    holds: Holds,
    /// What its memory takes of the host's.
    _room: Slot,
}

/// What is in a booted guest.
enum Holds {
    /// What was put into it.
    Spec(ImageSpec),
    /// What an earlier invocation put into it.
    Listing(BTreeMap<String, String>),
}

impl<'a> Templates<'a> {
    /// Groups the tests of which copies can be made; what templates leave goes below `dir`. A test
    /// that is alone, and not run `again`, boots by itself: saving its guest would cost more than it gives.
    pub fn new(
        tests: &'a [Test],
        again: bool,
        options: &'a Options,
        slots: &Arc<Slots>,
        dir: &Path,
    ) -> Self {
        let mut groups: Vec<Group<'a>> = Vec::new();
        for test in tests.iter().filter(|test| can_copy(test, options)) {
            match groups.iter_mut().find(|group| test.boots_like(group.tests[0])) {
                Some(group) => group.add(test),
                None => groups.push(Group::of(test)),
            }
        }
        let is_kept = options.from.is_some() || options.save_boot.is_some();
        groups.retain(|group| again || is_kept || group.wanted > 1);
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
        let booted = group.booted.get_or_init(|| self.booted(group)).as_ref();
        let prepared = group.take(index, test).map_or_else(|| prepare(test, self.options), Ok);
        Some(prepared.map(|prepared| {
            let holds = booted.filter(|booted| booted.holds(&prepared.spec));
            (prepared, holds)
        }))
    }

    /// The guest that an earlier invocation saved, or one that is booted now, and saved where that is asked for.
    fn booted(&self, group: &Group) -> Option<Booted> {
        let test = group.tests[0];
        let is_plain = is_plain(test);
        if let (Some(from), true) = (&self.options.from, is_plain) {
            return self.take_over(test, from).ok();
        }
        let booted = self.boot(group);
        if let (Some(target), true) = (&self.options.save_boot, is_plain) {
            match &booted {
                Ok(booted) => booted.save(test, target, self.options),
                Err(why) => target.take(Err(why.clone())),
            }
        }
        booted.ok()
    }

    fn take_over(&self, test: &Test, from: &SavedBoot) -> Result<Booted, String> {
        let slot = self.slots.take(&test.loaded.scenario.machine);
        let saved = from.saved().map_err(words)?;
        let room = slot.keep_memory(taken(&saved)?);
        let template = Template {
            saved,
            registers: Vec::new(),
            past: from.about.past(),
            console: Recording::of_boot(from.console.clone()),
        };
        let config = bare_config(test, self.options, &self.dir)?;
        Ok(Booted {
            template,
            config,
            holds: Holds::Listing(from.about.holds.clone()),
            _room: room,
        })
    }

    fn boot(&self, group: &Group) -> Result<Booted, String> {
        let test = group.tests[0];
        let dir = self.dir.join(&test.id);
        fs::create_dir_all(&dir).map_err(words)?;
        let spec = group.spec(self.options);
        let config = config(test, &spec, self.options, &dir)?;
        let console = Console::create(&dir.join("console.log")).map_err(words)?;
        let scenario = &test.loaded.scenario;
        let limits = Limits::of(scenario, self.options.scale(&scenario.machine));
        let slot = self.slots.take(&scenario.machine);
        let started = Instant::now();
        let (machine, events) = boot(test, &config, self.options)?;
        let keep = self.options.keep.clone();
        let recorder = Recorder::new(dir, config.cpus, config.cmdline.clone(), keep)
            .with_layout(Layout::of(&scenario.machine));
        let session = Session::new(machine, events, console, limits, started, recorder);
        let seed = test.seed(self.options.seed);
        let template = freeze(session, &group.first_scenario(), seed)?;
        let room = slot.keep_memory(taken(&template.saved)?);
        Ok(Booted { template, config, holds: Holds::Spec(spec), _room: room })
    }
}

/// Bytes of the host's memory that saved RAM takes.
fn taken(saved: &Saved) -> Result<u64, String> {
    Ok(saved.memory.metadata().map_err(words)?.blocks() * BLOCK)
}

/// Whether a guest for `test` has done nothing but boot when it is copied.
fn is_plain(test: &Test) -> bool {
    test.loaded.scenario.from.is_none()
}

/// Whether the guest of `test` can be a copy of one that boots like it: what is on a disk is no part of what can be copied.
/// One that will be skipped is none: nothing is built for it.
fn can_copy(test: &Test, options: &Options) -> bool {
    let scenario = &test.loaded.scenario;
    options.forks
        && options.engine.for_machine(&scenario.machine).is_ok()
        && !scenario.fresh_boot
        && scenario.machine.disks.is_empty()
        && unmet(scenario, &test.kernel).is_none()
}

/// Whether its guest is to be a copy of a saved one.
pub fn is_copied(test: &Test) -> bool {
    let scenario = &test.loaded.scenario;
    is_plain(test) && !scenario.fresh_boot && scenario.machine.disks.is_empty()
}

/// Refuses the saved boot of `options`, if there is one, unless all of `tests` that can be copies can be copies of it.
///
/// # Errors
/// When one cannot; the words say which, and why.
pub fn check_saved_boot(tests: &[Test], options: &Options) -> Result<(), String> {
    let Some(from) = &options.from else { return Ok(()) };
    let mut checked: Vec<&Test> = Vec::new();
    for test in tests.iter().filter(|test| can_copy(test, options) && is_plain(test)) {
        if !checked.iter().any(|like| test.boots_like(like)) {
            from.check(&test.id, &identity(test, options)?).map_err(words)?;
            checked.push(test);
        }
    }
    Ok(())
}

/// Refuses to save the guest that `tests` boot, if they boot several.
///
/// # Errors
/// When they do, or none can be copied.
pub fn check_one_boot(tests: &[Test], options: &Options) -> Result<(), String> {
    let mut plain = tests.iter().filter(|test| can_copy(test, options) && is_plain(test));
    let first = plain.next().ok_or("no test boots a guest that can be saved")?;
    match plain.find(|test| !test.boots_like(first)) {
        Some(other) => Err(format!(
            "one boot can be saved, and {} boots another kernel or machine than {}: name one of them",
            other.id, first.id
        )),
        None => Ok(()),
    }
}

fn identity(test: &Test, options: &Options) -> Result<Identity, String> {
    let config = bare_config(test, options, Path::new(""))?;
    Identity::of(test, &options.engine, config.cmdline)
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
    fn holds(&self, wanted: &ImageSpec) -> bool {
        match &self.holds {
            Holds::Spec(spec) => spec.join(wanted).is_some_and(|all| all == *spec),
            // What cannot be listed cannot be booted either, and that tells why.
            Holds::Listing(listing) => wanted.listing().is_ok_and(|wanted| {
                wanted.iter().all(|(name, content)| listing.get(name) == Some(content))
            }),
        }
    }

    fn save(&self, test: &Test, target: &Target, options: &Options) {
        let about = identity(test, options).and_then(|identity| {
            let Holds::Spec(spec) = &self.holds else { return Err("it was saved before".into()) };
            Ok(About::new(identity, spec.listing().map_err(words)?, &self.template.past))
        });
        let machine = &test.loaded.scenario.machine;
        target.take(about.as_ref().map_err(Clone::clone).and_then(|about| {
            let engine = options.engine.for_machine(machine).map_err(words)?;
            Ok(saved_boot::Booted {
                about,
                saved: &self.template.saved,
                registers: &self.template.registers,
                layout: Layout::of(machine),
                backend: engine.backend(),
                console: self.template.console.bytes(),
            })
        }));
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
