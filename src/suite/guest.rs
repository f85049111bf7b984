//! The guest of a test: its image and its machine.

use std::fmt::Display;
use std::path::Path;
use std::sync::mpsc::Receiver;

use guest_image::image::ImageSpec;
use vmm::{Config, Event, Machine};

use super::runner::Options;
use crate::plan::{BuildError, Test, build_modules, command_line, image_spec};
use crate::recording::Place;
use crate::run::{At, Debugging};
use crate::scenario::model::Scenario;

/// A machine and what it tells.
pub type Running = (Box<dyn Machine>, Receiver<Event>);

/// Why no machine was started.
#[derive(Default)]
pub struct NotBooted {
    /// In a few words.
    pub cause: String,
    /// What compilers said of a module that does not build.
    pub build_log: String,
}

impl From<String> for NotBooted {
    fn from(cause: String) -> Self {
        Self { cause, ..Self::default() }
    }
}

impl From<BuildError> for NotBooted {
    fn from(error: BuildError) -> Self {
        let build_log = error.compiler_output().unwrap_or_default().to_owned();
        Self { cause: error.to_string(), build_log }
    }
}

/// A test whose modules are built.
pub struct Prepared {
    /// The scenario, with what is known of its modules now.
    pub scenario: Scenario,
    /// What its guest is to hold.
    pub spec: ImageSpec,
    /// Seed of everything random.
    pub seed: u64,
}

/// Builds what `test` needs.
///
/// # Errors
/// When anything of it is missing on the host, or does not build.
pub fn prepare(test: &Test, options: &Options) -> Result<Prepared, NotBooted> {
    let base = test.loaded.base();
    let mut scenario = test.loaded.scenario.clone();
    let seed = test.seed(options.seed);
    let modules = build_modules(&mut scenario, base, &test.kernel, &options.cache, seed)?;
    let spec = image_spec(&scenario, modules, base, &test.kernel)?;
    Ok(Prepared { scenario, spec, seed })
}

/// The machine that boots `test` with `spec` in its image, with its files in `dir`.
///
/// # Errors
/// When the image cannot be written.
pub fn config(
    test: &Test,
    spec: &ImageSpec,
    options: &Options,
    dir: &Path,
) -> Result<Config, String> {
    let image = spec.build(&options.cache.join("images"), dir).map_err(words)?;
    Ok(Config { initramfs: image.initramfs, ..bare_config(test, options, dir)? })
}

/// The same without an image.
///
/// # Errors
/// When nothing runs the machine.
pub fn bare_config(test: &Test, options: &Options, dir: &Path) -> Result<Config, String> {
    let scenario = &test.loaded.scenario;
    let base = test.loaded.base();
    let engine = options.engine.for_machine(&scenario.machine).map_err(words)?;
    let unpacked = test.kernel.vmlinux.as_ref().filter(|_| scenario.machine.unpack);
    let debugging = options.debug.as_ref().map_or("", |_| Debugging::CMDLINE);
    let recording = if options.record { Place::CMDLINE } else { "" };
    let given = command_line(scenario, engine.backend(), test.kernel.config.as_ref());
    let model = scenario.machine.model();
    let fixed = model.fixed();
    let trees = test.kernel.device_trees.as_ref();
    Ok(Config {
        model,
        device_tree: model.device_tree().and_then(|name| Some(trees?.join(name))),
        kernel: unpacked.unwrap_or(&test.kernel.image).clone(),
        initramfs: Vec::new(),
        cmdline: [&given, debugging, recording]
            .into_iter()
            .filter(|words| !words.is_empty())
            .collect::<Vec<_>>()
            .join(" "),
        cpus: fixed.map_or(scenario.machine.cpus, |fixed| fixed.cpus),
        memory: fixed.map_or(scenario.machine.memory.0, |fixed| fixed.memory),
        disks: scenario.machine.disks.iter().map(|disk| disk.of_machine(base)).collect(),
        nested: scenario.machine.nested,
        paused: options.debug.as_ref().is_some_and(|debug| debug.at == At::Boot),
        dir: dir.to_owned(),
    })
}

/// Starts the machine `config` for `test`.
///
/// # Errors
/// When the host or the machine refuses.
pub fn boot(test: &Test, config: &Config, options: &Options) -> Result<Running, String> {
    let engine = options.engine.for_machine(&test.loaded.scenario.machine).map_err(words)?;
    if options.record {
        let place = Place::prepare(&config.dir, config).map_err(words)?;
        return engine.record(&place.config(config), &place.recording()).map_err(words);
    }
    engine.boot(config).map_err(words)
}

/// An error in words.
pub fn words(error: impl Display) -> String {
    error.to_string()
}
