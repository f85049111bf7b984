//! Running the kernel's make.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::Progress;
use super::super::process::{ProcessError, run};
use super::super::toolchain::RustTools;
use super::BuildError;

/// Variables of the caller's environment that would change what is built (the kernel's
/// Documentation/kbuild/kbuild.rst).
const FOREIGN: [&str; 12] = [
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
    /// The Rust tools, when the configuration has Rust.
    pub rust: Option<RustTools>,
    /// Jobs at the same time.
    pub jobs: usize,
}

impl Make {
    /// Makes `targets`. Each object that is made is a tick, of about `expected`; the number there
    /// were is returned.
    pub fn run(
        &self,
        targets: &[&str],
        expected: u64,
        progress: &dyn Progress,
    ) -> Result<u64, BuildError> {
        let mut done = 0;
        let outcome = run(self.command().args(targets), |line| {
            if is_step(line) {
                done += 1;
                progress.tick(done, expected.max(done + 1));
            }
        });
        match outcome {
            Ok(()) => Ok(done),
            Err(ProcessError::Failed { stderr, .. }) => Err(BuildError::Make {
                targets: targets.join(" "),
                objects: self.objects.clone(),
                output: stderr,
            }),
            Err(other) => Err(other.into()),
        }
    }

    /// `make` with all that is the same for every target.
    pub fn command(&self) -> Command {
        let mut command = Command::new("make");
        for name in FOREIGN {
            command.env_remove(name);
        }
        command.arg("-C").arg(&self.source).arg(variable("O", &self.objects));
        command.arg(format!("-j{}", self.jobs)).args(REPRODUCIBLE);
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
