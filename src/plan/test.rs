//! The tests of a run.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use guest_image::kernel::{Kernel, KernelError};

use super::kernels::Kernels;
use crate::scenario::Loaded;
use crate::scenario::model::KERNEL_AXIS;

/// One scenario, in one cell of its matrix, once, on one kernel.
#[derive(Debug, Clone)]
pub struct Test {
    /// Unique in the run; a repetition is counted behind `#`.
    pub id: String,
    /// The scenario and its file.
    pub loaded: Arc<Loaded>,
    /// The kernel to boot.
    pub kernel: Arc<Kernel>,
    /// Which of its repetitions this is; the first is 1.
    pub repetition: u32,
}

impl Test {
    /// Its seed: the scenario's, or else the run's, to which repetitions add one each. What fails for some
    /// seeds only would never be found by doing the same again.
    pub fn seed(&self, of_run: u64) -> u64 {
        let own = || of_run.wrapping_add(u64::from(self.repetition - 1));
        self.loaded.scenario.seed.unwrap_or_else(own)
    }

    /// The same test, `round` rounds later.
    pub fn again(&self, round: u32) -> Self {
        let repetition = self.repetition.saturating_add(round);
        Self { id: name(&self.loaded.id, repetition), repetition, ..self.clone() }
    }

    /// Whether `other` is a repetition of it.
    pub fn repeats(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.loaded, &other.loaded) && Arc::ptr_eq(&self.kernel, &other.kernel)
    }

    /// The scenario that it goes on from, and the snapshot.
    fn base(&self) -> Option<(&Path, &str)> {
        let base = self.loaded.scenario.from.as_ref()?;
        Some((&base.scenario, &base.snapshot))
    }

    /// Whether its guest and that of `other` are the same until the first step that is not its base's.
    pub fn boots_like(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.kernel, &other.kernel)
            && self.loaded.scenario.machine == other.loaded.scenario.machine
            && self.base() == other.base()
    }
}

/// Every test that `scenarios` make, in their order. Kernels are looked up here, so that a wrong
/// name ends the run before anything is booted. `repeat` wins over what scenarios state, and a kernel of
/// the command line over their axes of kernels.
///
/// # Errors
/// When a kernel is not there.
pub fn plan(
    scenarios: Vec<Loaded>,
    repeat: Option<u32>,
    kernels: &mut Kernels,
) -> Result<Vec<Test>, KernelError> {
    let mut tests = Vec::new();
    let scenarios = if kernels.is_chosen() { without_kernels(scenarios) } else { scenarios };
    for loaded in scenarios {
        let kernel = kernels.find(&loaded.scenario)?;
        let loaded = Arc::new(loaded);
        tests.extend((1..=repeat.unwrap_or(loaded.scenario.repeat)).map(|count| Test {
            id: name(&loaded.id, count),
            loaded: Arc::clone(&loaded),
            kernel: Arc::clone(&kernel),
            repetition: count,
        }));
    }
    Ok(tests)
}

/// Cells that differ in nothing but the kernel are one.
fn without_kernels(scenarios: Vec<Loaded>) -> Vec<Loaded> {
    let mut seen = HashSet::new();
    let cells = scenarios.into_iter().map(|loaded| loaded.without_axis(KERNEL_AXIS));
    cells.filter(|loaded| seen.insert(loaded.id.clone())).collect()
}

fn name(id: &str, count: u32) -> String {
    if count == 1 { id.to_owned() } else { format!("{id}#{count}") }
}
