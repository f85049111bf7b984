//! The tests of a run.

use std::sync::Arc;

use guest_image::kernel::{Kernel, KernelError};

use super::kernels::Kernels;
use crate::scenario::Loaded;

/// One scenario, once, on one kernel.
#[derive(Debug, Clone)]
pub struct Test {
    /// Unique in the run; a repetition is counted behind `#`.
    pub id: String,
    /// The scenario and its file.
    pub loaded: Arc<Loaded>,
    /// The kernel to boot.
    pub kernel: Arc<Kernel>,
}

/// Every test that `scenarios` make, in their order. Kernels are looked up here, so that a wrong
/// name ends the run before anything is booted.
///
/// # Errors
/// When a kernel is not there.
pub fn plan(scenarios: Vec<Loaded>, kernels: &mut Kernels) -> Result<Vec<Test>, KernelError> {
    let mut tests = Vec::new();
    for loaded in scenarios {
        let kernel = kernels.find(&loaded.scenario)?;
        let loaded = Arc::new(loaded);
        tests.extend((1..=loaded.scenario.repeat).map(|count| Test {
            id: name(&loaded.id, count),
            loaded: Arc::clone(&loaded),
            kernel: Arc::clone(&kernel),
        }));
    }
    Ok(tests)
}

fn name(id: &str, count: u32) -> String {
    if count == 1 { id.to_owned() } else { format!("{id}#{count}") }
}
