//! The kernels of a run: each named one is looked up once.

use std::collections::BTreeMap;
use std::env;
use std::sync::Arc;

use guest_image::kernel::{self, Cache, CacheError, Kernel, KernelError};

use crate::scenario::model::{Arch, Scenario};

/// Kernel that is taken where nothing names one.
const DEFAULT: &str = "debian";

/// Finds kernels by name, once each.
pub struct Kernels {
    cache: Cache,
    chosen: Option<String>,
    found: BTreeMap<(String, Arch), Arc<Kernel>>,
}

impl Kernels {
    /// `chosen` is what the command line names; it wins over everything.
    ///
    /// # Errors
    /// When there is no place for a cache.
    pub fn new(chosen: Option<String>) -> Result<Self, CacheError> {
        let chosen = chosen.or_else(|| env::var("KHARNESS_KERNEL").ok());
        Ok(Self { cache: Cache::open()?, chosen, found: BTreeMap::new() })
    }

    /// Where kernels and images are cached.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Whether one kernel is to be taken for everything.
    pub fn is_chosen(&self) -> bool {
        self.chosen.is_some()
    }

    /// The name of the kernel for `scenario`.
    pub fn name_for(&self, scenario: &Scenario) -> String {
        let named = self.chosen.clone().or_else(|| scenario.kernel.clone());
        named.unwrap_or_else(|| DEFAULT.to_owned())
    }

    /// The kernel for `scenario`.
    ///
    /// # Errors
    /// When it is not there or not a kernel for the scenario's architecture.
    pub fn find(&mut self, scenario: &Scenario) -> Result<Arc<Kernel>, KernelError> {
        let name = self.name_for(scenario);
        self.named(&name, scenario.machine.arch)
    }

    /// The kernel called `name`.
    ///
    /// # Errors
    /// When it is not there or not a kernel for this architecture.
    pub fn named(&mut self, name: &str, arch_of: Arch) -> Result<Arc<Kernel>, KernelError> {
        let key = (name.to_owned(), arch_of);
        if let Some(kernel) = self.found.get(&key) {
            return Ok(Arc::clone(kernel));
        }
        let kernel = Arc::new(kernel::resolve(&key.0, arch(key.1), &self.cache)?);
        self.found.insert(key, Arc::clone(&kernel));
        Ok(kernel)
    }

    /// All kernels found so far.
    pub fn all(&self) -> impl Iterator<Item = &Kernel> {
        self.found.values().map(Arc::as_ref)
    }
}

fn arch(arch: Arch) -> kernel::Arch {
    match arch {
        Arch::X86_64 => kernel::Arch::X86_64,
        Arch::Aarch64 => kernel::Arch::Aarch64,
    }
}
