//! Programs of the host that the harness runs or packs.

use std::process::{Command, Stdio};

use guest_image::kernel::Arch;
use guest_image::kernel::toolchain::{ToolchainError, host_tools};

use super::check::Check;

/// A program that one feature needs.
struct Helper {
    name: &'static str,
    /// What makes it tell its version.
    ask: &'static str,
    /// What is lost without it.
    loss: &'static str,
    /// Debian's package.
    package: &'static str,
}

const HELPERS: [Helper; 2] = [
    Helper {
        name: "busybox",
        // It knows no `--version`.
        ask: "--help",
        loss: "guests have a shell without the usual commands",
        package: "busybox-static",
    },
    Helper {
        name: "gdb",
        ask: "--version",
        loss: "`kharness debug` has nothing to connect",
        package: "gdb",
    },
];

/// Compilers and helpers.
pub fn checks() -> Vec<Check> {
    [toolchain()].into_iter().chain(HELPERS.iter().map(helper)).collect()
}

fn toolchain() -> Check {
    match host_tools(Arch::X86_64, true) {
        Ok(tools) => Check::good("toolchain", format!("{}; {}", tools.cc, tools.ld)),
        Err(ToolchainError::MissingHostTools { missing, packages }) => Check::limited(
            "toolchain",
            format!("kernels cannot be built without {}", missing.join(", ")),
            format!("apt-get install {}", packages.join(" ")),
        ),
        Err(error) => Check::limited("toolchain", error.to_string(), None),
    }
}

fn helper(helper: &Helper) -> Check {
    match first_line(helper.name, helper.ask) {
        Some(version) => Check::good(helper.name, version),
        None => Check::limited(
            helper.name,
            format!("{} is not on PATH: {}", helper.name, helper.loss),
            format!("apt-get install {}", helper.package),
        ),
    }
}

/// The first line that `program` tells of its version; none when it cannot be run.
pub fn version_of(program: &str) -> Option<String> {
    first_line(program, "--version")
}

fn first_line(program: &str, ask: &str) -> Option<String> {
    let output = Command::new(program).arg(ask).stdin(Stdio::null()).output().ok()?;
    let told = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    let text = String::from_utf8_lossy(&told);
    Some(text.lines().next().unwrap_or(program).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_there_tells_its_version_and_another_nothing() {
        assert!(version_of("cargo").unwrap().starts_with("cargo "));
        assert_eq!(version_of("no-such-program-of-this-name"), None);
    }
}
