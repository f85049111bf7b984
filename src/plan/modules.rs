//! The modules of a scenario: built from source where there is one, else the kernel's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use guest_image::image;
use guest_image::kernel::{Cache, Kernel, ModuleFile, Silent};
use guest_image::module::{Built, ModuleSource, build, find};

use super::image::BuildError;
use crate::scenario::model::{Action, Scenario};

/// The support crate's parameter for the seed of everything random.
const SEED: &str = "seed";

/// Where a module comes from.
enum Origin {
    Built(Built),
    /// A module file that the scenario names.
    File(PathBuf),
    /// The kernel's own.
    Kernel,
}

/// Finds and builds all modules that `scenario` loads; `base` is its directory. What is then known of
/// them goes into the scenario: suites of tests get `seed`, and only what was built here is
/// unloaded at the end.
///
/// # Errors
/// When one is not there, or does not compile.
pub fn build_modules(
    scenario: &mut Scenario,
    base: &Path,
    kernel: &Kernel,
    cache: &Path,
    seed: u64,
) -> Result<Vec<image::Module>, BuildError> {
    let cache = Cache::at(cache);
    let mut origins = BTreeMap::new();
    for (name, path) in wanted(scenario) {
        let origin = origin(&name, path.as_deref(), base, kernel, &cache)?;
        origins.insert(name, origin);
    }
    settle(scenario, &origins, seed);
    origins.iter().map(|(name, origin)| packed(name, origin, kernel)).collect()
}

/// Each module's name, and its path where one is stated.
fn wanted(scenario: &Scenario) -> BTreeMap<String, Option<PathBuf>> {
    let loaded = scenario.steps.iter().filter_map(|step| match &step.action {
        Action::Load { module, .. } => Some((module.clone(), None)),
        _ => None,
    });
    let listed = scenario.modules.iter().map(|module| (module.name.clone(), module.path.clone()));
    loaded.chain(listed).collect()
}

fn origin(
    name: &str,
    path: Option<&Path>,
    base: &Path,
    kernel: &Kernel,
    cache: &Cache,
) -> Result<Origin, BuildError> {
    let source = match path.map(|path| base.join(path)) {
        Some(path) if path.is_file() => return prebuilt(path, kernel),
        Some(path) => Some(ModuleSource::open(&path)?),
        None => find(name, base),
    };
    match source {
        Some(source) => Ok(Origin::Built(build(&source, kernel, cache, &Silent)?)),
        None => Ok(Origin::Kernel),
    }
}

/// A module that was built elsewhere. Its version magic begins with the release of the kernel that it
/// was built for; the loader refuses it for any other, in words that depend on what differs first.
fn prebuilt(path: PathBuf, kernel: &Kernel) -> Result<Origin, BuildError> {
    let magic = ModuleFile::at(&path)?.info()?.vermagic;
    let built_for = magic.split(' ').next().unwrap_or_default();
    if built_for == kernel.release {
        return Ok(Origin::File(path));
    }
    let (built_for, release) = (built_for.to_owned(), kernel.release.clone());
    Err(BuildError::OtherKernel { path, built_for, release })
}

fn settle(scenario: &mut Scenario, origins: &BTreeMap<String, Origin>, seed: u64) {
    let built = |name: &str| match origins.get(name) {
        Some(Origin::Built(built)) => Some(built),
        _ => None,
    };
    let is_suite = |name: &str| built(name).is_some_and(|built| built.is_suite);
    let seeded = |params: &mut BTreeMap<String, String>| {
        params.entry(SEED.to_owned()).or_insert_with(|| seed.to_string());
    };
    for module in &mut scenario.modules {
        module.unload &= built(&module.name).is_some();
        module.suite = is_suite(&module.name);
        if module.suite {
            seeded(&mut module.params);
        }
    }
    for step in &mut scenario.steps {
        if let Action::Load { module, params } = &mut step.action
            && is_suite(module)
        {
            seeded(params);
        }
    }
}

/// The files to load for a module: what it depends on first.
fn packed(name: &str, origin: &Origin, kernel: &Kernel) -> Result<image::Module, BuildError> {
    let own = match origin {
        Origin::Built(built) => Some(ModuleFile::at(&built.file)?),
        Origin::File(path) => Some(ModuleFile::at(path)?),
        Origin::Kernel => None,
    };
    let files = match (&kernel.modules, own) {
        (Some(tree), Some(own)) => {
            let needs = tree.needs_of(&own)?;
            needs.into_iter().chain([own]).collect()
        }
        (None, Some(own)) => vec![own],
        (Some(tree), None) => tree.load_order(&[name])?,
        (None, None) => {
            let (release, module) = (kernel.release.clone(), name.to_owned());
            return Err(BuildError::NoModules { release, module });
        }
    };
    let files = files.into_iter().map(|module| module.path).collect();
    Ok(image::Module { name: name.to_owned(), files })
}
