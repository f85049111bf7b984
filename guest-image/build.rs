//! Builds the agent, statically linked, for `agent::BINARY`.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Set by cargo, clippy or coverage tools for the crates of the outer build, which the agent is
/// not one of: they would instrument it, lint it again or change its target.
const NOT_FOR_THE_AGENT: [&str; 7] = [
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "LLVM_PROFILE_FILE",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
];

fn main() -> Result<(), Box<dyn Error>> {
    for source in
        ["build.rs", "agent/Cargo.toml", "agent/src", "protocol/Cargo.toml", "protocol/src"]
    {
        println!("cargo::rerun-if-changed={source}");
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let target = format!("{}-unknown-linux-gnu", env::var("CARGO_CFG_TARGET_ARCH")?);
    build(&target, &out.join("agent"))?;
    let built = out.join("agent").join(&target).join("agent/kharness-agent");
    std::fs::copy(&built, out.join("kharness-agent"))
        .map_err(|error| format!("{}: {error}", built.display()))?;
    Ok(())
}

/// Runs cargo for the agent alone, in a target directory of its own: cargo holds a lock on the
/// outer one.
fn build(target: &str, target_dir: &Path) -> Result<(), Box<dyn Error>> {
    let mut cargo = Command::new(env::var("CARGO")?);
    for name in NOT_FOR_THE_AGENT {
        cargo.env_remove(name);
    }
    // With a target stated, flags for the target do not reach build scripts and macros.
    let flags = format!("CARGO_TARGET_{}_RUSTFLAGS", target.to_uppercase().replace('-', "_"));
    let status = cargo
        .env(flags, "-C target-feature=+crt-static -C relocation-model=static")
        .args(["build", "--locked", "--quiet", "--profile", "agent"])
        .args(["--manifest-path", "agent/Cargo.toml", "--target", target, "--target-dir"])
        .arg(target_dir)
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("building the agent for {target} failed: {status}").into())
    }
}
