//! What a scenario needs inside the guest.

use std::path::Path;

use guest_image::foreign::{ForeignError, foreign};
use guest_image::image::{GuestFile, ImageSpec, Module, Source};
use guest_image::kernel::{
    Cache, CacheError, Kernel, KernelError, ModuleError, ModuleTree, Silent,
};
use guest_image::module::ModuleBuildError;

use vmm::Model;

use super::nested;
use crate::scenario::model::{Action, GuestFile as File, Machine, Scenario};

/// Drivers of the control channel, on QEMU's machine and on ours; a distribution's kernel has them
/// as modules.
const CHANNEL: [&str; 3] = ["virtio_pci", "virtio_mmio", "virtio_console"];

/// The driver of disks.
pub(super) const DISKS: &str = "virtio_blk";

/// The driver without which a Raspberry Pi neither switches off nor resets: it halts, which looks like
/// a hang.
const ON_RASPI: [&str; 1] = ["bcm2835_wdt"];

/// Why a guest's image cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A module is missing.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// The kernel for a guest's own guest is not there.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// Nor a cache to look for it in.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The programs of another architecture cannot be had.
    #[error(transparent)]
    Foreign(#[from] ForeignError),
    /// A test module cannot be built.
    #[error(transparent)]
    TestModule(#[from] ModuleBuildError),
    /// A module that was built for another kernel.
    #[error(
        "{} was built for kernel {built_for} (its version magic), and this kernel is {release}: \
         build it again, or name its source directory",
        path.display()
    )]
    OtherKernel {
        /// The module's file.
        path: std::path::PathBuf,
        /// Release of the kernel that it was built for.
        built_for: String,
        /// Release of this kernel.
        release: String,
    },
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

impl BuildError {
    /// What compilers said, where it was they who refused.
    pub fn compiler_output(&self) -> Option<&str> {
        match self {
            Self::TestModule(error) => error.output(),
            _ => None,
        }
    }
}

/// What goes into the image for `scenario`, with `modules`; its paths are relative to `base`.
///
/// # Errors
/// When anything that it needs is missing on the host.
pub fn image_spec(
    scenario: &Scenario,
    modules: Vec<Module>,
    base: &Path,
    kernel: &Kernel,
) -> Result<ImageSpec, BuildError> {
    let (mut programs, mut files) = (programs(scenario), files(scenario, base)?);
    if let Some(at) = programs.iter().position(|name| name == nested::OWN_NAME) {
        programs.remove(at);
        files.push(nested::own_program());
    }
    Ok(ImageSpec {
        programs,
        files,
        boot_modules: boot_modules(kernel, &all_drivers(&scenario.machine))?,
        modules,
        foreign: foreign(kernel.arch, &Cache::open()?, &Silent)?,
        ..ImageSpec::default()
    })
}

fn programs(scenario: &Scenario) -> Vec<String> {
    let run = scenario.steps.iter().filter_map(|step| match &step.action {
        Action::Run(program) | Action::Spawn(program) => program.argv.first().cloned(),
        Action::Interact(program) => program.as_ref()?.first().cloned(),
        _ => None,
    });
    let listed = scenario.files.iter().filter_map(|file| match file {
        File::Program(name) => Some(name.clone()),
        File::File { .. } | File::Kernel { .. } => None,
    });
    // A path that a `files` entry puts there is not the host's.
    let put: Vec<&String> = scenario
        .files
        .iter()
        .filter_map(|file| match file {
            File::File { to, .. } => Some(to),
            File::Program(_) | File::Kernel { .. } => None,
        })
        .collect();
    let mut programs: Vec<String> = run.chain(listed).filter(|name| !put.contains(&name)).collect();
    programs.sort();
    programs.dedup();
    programs
}

fn files(scenario: &Scenario, base: &Path) -> Result<Vec<GuestFile>, BuildError> {
    let mut files = Vec::new();
    for file in &scenario.files {
        match file {
            File::File { from, to, mode } => files.push(GuestFile {
                path: to.clone(),
                mode: mode.map(|mode| mode.0),
                source: Source::Host(base.join(from)),
            }),
            File::Kernel { kernel, to } => files.extend(nested::kernel_files(kernel, to)?),
            File::Program(_) => {}
        }
    }
    Ok(files)
}

/// What must be loaded first on `machine`.
fn all_drivers(machine: &Machine) -> Vec<&'static str> {
    let disks = if machine.disks.is_empty() { None } else { Some(DISKS) };
    drivers(machine.model()).iter().copied().chain(disks).collect()
}

/// What the channel of `model` needs.
pub(super) fn drivers(model: Model) -> &'static [&'static str] {
    match model {
        Model::Pc | Model::Virt => &CHANNEL,
        Model::Raspi3b | Model::Raspi4b => &ON_RASPI,
    }
}

/// The modules without which the guest cannot answer, dependencies first.
///
/// # Errors
/// When one that they depend on is missing or damaged.
pub(super) fn boot_modules(
    kernel: &Kernel,
    drivers: &[&str],
) -> Result<Vec<std::path::PathBuf>, ModuleError> {
    let Some(tree) = &kernel.modules else { return Ok(Vec::new()) };
    let missing: Vec<&str> = drivers.iter().copied().filter(|name| is_module(tree, name)).collect();
    Ok(tree.load_order(&missing)?.into_iter().map(|module| module.path).collect())
}

/// A driver that is neither a module nor known to be built in may still be there: the agent tells.
fn is_module(tree: &ModuleTree, name: &str) -> bool {
    !tree.is_builtin(name) && tree.find(name).is_some()
}
