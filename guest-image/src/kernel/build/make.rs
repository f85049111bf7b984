//! Running the kernel's make.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::process::{ProcessError, mortal, run};
use super::super::toolchain::{ClangTools, RustTools};
use super::super::{Arch, Progress};
use super::BuildError;
use super::steps::Steps;

/// Variables of the caller's environment that would change what is built (the kernel's
/// Documentation/kbuild/kbuild.rst).
pub(crate) const FOREIGN: [&str; 12] = [
    "ARCH",
    "CROSS_COMPILE",
    "KBUILD_EXTRA_SYMBOLS",
    "KBUILD_OUTPUT",
    "KCFLAGS",
    "KCPPFLAGS",
    "KRUSTFLAGS",
    "LLVM",
    "LOCALVERSION",
    "MAKEFLAGS",
    "RUSTFLAGS",
    "RUST_LIB_SRC",
];

/// Same source, same bytes: nothing of the builder goes into the image.
const REPRODUCIBLE: [&str; 3] = [
    "KBUILD_BUILD_TIMESTAMP=1970-01-01",
    "KBUILD_BUILD_USER=kharness",
    "KBUILD_BUILD_HOST=kharness",
];

/// A kernel source with an output directory.
#[derive(Debug)]
pub(super) struct Make {
    /// The source tree.
    pub source: PathBuf,
    /// The output directory.
    pub objects: PathBuf,
    /// The architecture to build for.
    pub arch: Arch,
    /// The Rust tools, when the configuration has Rust.
    pub rust: Option<RustTools>,
    /// clang, when gcc cannot build the configuration.
    pub clang: Option<ClangTools>,
    /// Jobs at the same time.
    pub jobs: usize,
}

impl Make {
    /// Makes `targets`, and tells of each of about `expected` steps, of which `before` were done
    /// earlier. Returns how many it took now.
    pub fn run_steps(
        &self,
        targets: &[&str],
        steps: &Steps,
        progress: &dyn Progress,
    ) -> Result<u64, BuildError> {
        let mut done = 0;
        let outcome = run(self.command().args(targets), |line| {
            if is_step(line) {
                done += 1;
                let all = steps.before + done;
                progress.tick(all, steps.expected.max(all + 1));
            }
        });
        self.explain(outcome, targets).map(|()| done)
    }

    /// Makes `targets`, of which there is little to tell.
    pub fn run(&self, targets: &[&str]) -> Result<(), BuildError> {
        self.explain(run(self.command().args(targets), |_| {}), targets)
    }

    fn explain(
        &self,
        outcome: Result<(), ProcessError>,
        targets: &[&str],
    ) -> Result<(), BuildError> {
        outcome.map_err(|error| match error {
            ProcessError::Failed { stderr, .. } => BuildError::Make {
                targets: targets.join(" "),
                objects: self.objects.clone(),
                output: stderr,
            },
            other => other.into(),
        })
    }

    /// `make` with all that is the same for every target.
    pub fn command(&self) -> Command {
        let mut command = mortal("make");
        for name in FOREIGN {
            command.env_remove(name);
        }
        command.arg("-C").arg(&self.source).arg(variable("O", &self.objects));
        command.arg(format!("-j{}", self.jobs)).args(REPRODUCIBLE);
        command.args(self.arch.make_variables());
        if let Some(clang) = &self.clang {
            command.args(clang.make_variables());
        }
        if let Some(rust) = &self.rust {
            command.arg(variable("RUSTC", &rust.rustc)).arg(variable("RUSTDOC", &rust.rustdoc));
            command.arg(variable("BINDGEN", &rust.bindgen));
        }
        command
    }
}

pub(super) fn variable(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

/// Kbuild's short form of a command: two spaces, what is run, the file.
fn is_step(line: &str) -> bool {
    line.strip_prefix("  ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kbuild_s_short_commands_count_as_steps() {
        assert!(is_step("  CC      kernel/fork.o"));
        assert!(is_step("  RUSTC L rust/core.o"));
        assert!(!is_step("make[1]: Entering directory"));
        assert!(!is_step("    indented"));
    }
}
