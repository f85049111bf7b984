//! Where the reports of a test that is not good were raised, with source lines where the kernel's debugging information
//! is at hand.

use std::path::PathBuf;

use crate::plan::Test;
use crate::results::ReportResult;
use crate::run::Seen;
use crate::symbols::Symbols;
use crate::triage::Shown;

/// Frames that are kept of a report.
const FRAMES: usize = 16;

/// Adds code and stack to every report that speaks against the test; `seen` are the same reports as `results`, and
/// `modules` the files that were packed for the guest.
pub fn add(test: &Test, modules: &[PathBuf], seen: &[Seen], results: &mut [ReportResult]) {
    let wanted = |result: &ReportResult| !result.expected && result.allowed.is_none();
    if !results.iter().any(wanted) {
        return;
    }
    let symbols = open(test, modules);
    for (seen, result) in seen.iter().zip(results).filter(|(_, result)| wanted(result)) {
        let shown = Shown::new(seen.report.clone(), symbols.as_ref());
        result.code = shown.code_lines().collect();
        result.frames = shown.place(FRAMES);
        result.symbols = shown.symbols;
    }
}

/// Most kernels have no debugging information at hand; then the frames are as the log shows them.
fn open(test: &Test, modules: &[PathBuf]) -> Option<Symbols> {
    let kernel = &test.kernel;
    let vmlinux = kernel.symbols.as_ref().or(kernel.vmlinux.as_ref())?;
    let symbols = Symbols::open(vmlinux).ok()?;
    let files = modules.iter().map(PathBuf::as_path);
    Some(symbols.with_tree(kernel.modules.clone()).with_files(files))
}
