//! What a scenario needs inside the guest.

use std::path::Path;

use guest_image::image::{GuestFile, Image, ImageError, ImageSpec, Module, Source};
use guest_image::kernel::{Kernel, ModuleError, ModuleTree};

use crate::scenario::model::{Action, GuestFile as File, Scenario};

/// Drivers of the control channel, on QEMU's machine and on ours; a distribution's kernel has them
/// as modules.
const CHANNEL: [&str; 3] = ["virtio_pci", "virtio_mmio", "virtio_console"];

/// Why a guest's image cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A module is missing.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// Something else is.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The kernel came without its modules.
    #[error(
        "the modules of kernel {release} were not found, and the scenario loads {module}: \
         name the build tree, or an image in a /boot that has /lib/modules beside it"
    )]
    NoModules {
        /// Release of the kernel.
        release: String,
        /// The module.
        module: String,
    },
}

/// Builds the image for `scenario`, whose paths are relative to `base`.
///
/// # Errors
/// When anything that it needs is missing on the host.
pub fn build_image(
    scenario: &Scenario,
    base: &Path,
    kernel: &Kernel,
    cache: &Path,
    run: &Path,
) -> Result<Image, BuildError> {
    let spec = ImageSpec {
        programs: programs(scenario),
        files: files(scenario, base),
        boot_modules: boot_modules(kernel)?,
        modules: modules(scenario, kernel)?,
        ..ImageSpec::default()
    };
    Ok(spec.build(cache, run)?)
}

fn programs(scenario: &Scenario) -> Vec<String> {
    let run = scenario.steps.iter().filter_map(|step| match &step.action {
        Action::Run(program) | Action::Spawn(program) => program.argv.first().cloned(),
        _ => None,
    });
    let listed = scenario.files.iter().filter_map(|file| match file {
        File::Program(name) => Some(name.clone()),
        File::File { .. } => None,
    });
    // A path that a `files` entry puts there is not the host's.
    let put: Vec<&String> = scenario
        .files
        .iter()
        .filter_map(|file| match file {
            File::File { to, .. } => Some(to),
            File::Program(_) => None,
        })
        .collect();
    let mut programs: Vec<String> = run.chain(listed).filter(|name| !put.contains(&name)).collect();
    programs.sort();
    programs.dedup();
    programs
}

fn files(scenario: &Scenario, base: &Path) -> Vec<GuestFile> {
    let files = scenario.files.iter().filter_map(|file| match file {
        File::File { from, to, mode } => Some((from, to, mode)),
        File::Program(_) => None,
    });
    files
        .map(|(from, to, mode)| GuestFile {
            path: to.clone(),
            mode: mode.map(|mode| mode.0),
            source: Source::Host(base.join(from)),
        })
        .collect()
}

fn boot_modules(kernel: &Kernel) -> Result<Vec<std::path::PathBuf>, ModuleError> {
    let Some(tree) = &kernel.modules else { return Ok(Vec::new()) };
    let missing: Vec<&str> = CHANNEL.into_iter().filter(|name| is_module(tree, name)).collect();
    Ok(tree.load_order(&missing)?.into_iter().map(|module| module.path).collect())
}

/// A driver that is neither a module nor known to be built in may still be there: the agent tells.
fn is_module(tree: &ModuleTree, name: &str) -> bool {
    !tree.is_builtin(name) && tree.find(name).is_some()
}

fn modules(scenario: &Scenario, kernel: &Kernel) -> Result<Vec<Module>, BuildError> {
    let listed = scenario.modules.iter().map(|module| &module.name);
    let loaded = scenario.steps.iter().filter_map(|step| match &step.action {
        Action::Load { module, .. } => Some(module),
        _ => None,
    });
    let mut names: Vec<&String> = listed.chain(loaded).collect();
    names.sort();
    names.dedup();
    names.into_iter().map(|name| module(name, kernel)).collect()
}

fn module(name: &str, kernel: &Kernel) -> Result<Module, BuildError> {
    let tree = kernel.modules.as_ref().ok_or_else(|| BuildError::NoModules {
        release: kernel.release.clone(),
        module: name.to_owned(),
    })?;
    let files = tree.load_order(&[name])?.into_iter().map(|module| module.path).collect();
    Ok(Module { name: name.to_owned(), files })
}
