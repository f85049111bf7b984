//! Builds the agent for another architecture.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use super::ForeignError;
use super::compiler::Compiler;
use crate::kernel::{Arch, Cache, Progress, run_program};

/// The agent's source: path below a workspace, and text.
const SOURCE: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/agent_source.rs"));

/// The manifest of that workspace.
const WORKSPACE: &str = include_str!(concat!(env!("OUT_DIR"), "/agent_workspace.toml"));

/// Where built agents are in the cache.
const PLACE: &str = "agents";

const NAME: &str = "kharness-agent";

/// Raised when agents are built in another way: older ones are then built anew.
const FORMAT: u32 = 1;

/// Variables of whoever builds or tests this program; they are not meant for the agent.
const NOT_FOR_THE_AGENT: [&str; 7] = [
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "LLVM_PROFILE_FILE",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
];

/// The agent for `arch`, built when `cache` has none from this source.
pub(super) fn find_or_build(
    arch: Arch,
    cache: &Cache,
    progress: &dyn Progress,
) -> Result<PathBuf, ForeignError> {
    let name = format!("{arch}-{}", key());
    let built = cache.root().join(PLACE).join(&name).join(NAME);
    if built.is_file() {
        return Ok(built);
    }
    let _lock = cache.lock(&format!("agent-{arch}"), progress)?;
    if !built.is_file() {
        build(arch, &name, cache, progress)?;
    }
    Ok(built)
}

/// Twelve hexadecimal digits of the hash of the source.
fn key() -> String {
    let mut hasher = Sha256::new();
    hasher.update(FORMAT.to_le_bytes());
    for (name, text) in SOURCE.iter().chain(&[("", WORKSPACE)]) {
        hasher.update(name);
        hasher.update([0]);
        hasher.update(text);
    }
    hasher.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

fn build(
    arch: Arch,
    name: &str,
    cache: &Cache,
    progress: &dyn Progress,
) -> Result<(), ForeignError> {
    let compiler = Compiler::find(arch, cache, progress)?;
    progress.stage(&format!("building the agent for {arch} (once)"));
    let work = cache.stage()?;
    write_source(work.path())?;
    let mut cargo = Command::new("cargo");
    for name in NOT_FOR_THE_AGENT {
        cargo.env_remove(name);
    }
    cargo.args(["build", "--quiet", "--profile", "agent", "--package", NAME, "--manifest-path"]);
    cargo.arg(work.path().join("Cargo.toml")).arg("--target-dir").arg(work.path().join("target"));
    compiler.add_to(&mut cargo);
    run_program(&mut cargo, |_| {}).map_err(|source| ForeignError::Build { arch, source })?;
    let done = cache.stage()?;
    let target = work.path().join("target").join(compiler.target).join("agent").join(NAME);
    fs::copy(&target, done.path().join(NAME)).map_err(|e| ForeignError::io(&target, e))?;
    cache.place(done, PLACE, name)?;
    Ok(())
}

fn write_source(dir: &Path) -> Result<(), ForeignError> {
    let manifest = [("Cargo.toml", WORKSPACE)];
    for (name, text) in SOURCE.iter().chain(&manifest) {
        let path = dir.join(name);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| fs::write(&path, text)).map_err(|e| ForeignError::io(&path, e))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_source_is_carried_along() {
        let names: Vec<&str> = SOURCE.iter().map(|(name, _)| *name).collect();
        for name in
            ["Cargo.lock", "guest-image/agent/src/main.rs", "guest-image/protocol/src/wire.rs"]
        {
            assert!(names.contains(&name), "{name}: {names:?}");
        }
    }

    #[test]
    fn the_workspace_is_the_agent_s_alone() {
        assert!(WORKSPACE.contains("members = [\"guest-image/agent\", \"guest-image/protocol\"]"));
        assert!(WORKSPACE.contains("[profile.agent]") && WORKSPACE.contains("panic = \"abort\""));
        assert!(!WORKSPACE.contains("[package]"));
    }
}
