//! Builds the agent, statically linked, for `agent::BINARY`, and lists its source for
//! `foreign::SOURCE`, from which it is built for other architectures when they are wanted.

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

/// What the agent is built from.
const SOURCES: [&str; 4] = ["agent/Cargo.toml", "agent/src", "protocol/Cargo.toml", "protocol/src"];

fn main() -> Result<(), Box<dyn Error>> {
    for source in ["build.rs", "../Cargo.toml", "../Cargo.lock"].iter().chain(&SOURCES) {
        println!("cargo::rerun-if-changed={source}");
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let target = format!("{}-unknown-linux-gnu", env::var("CARGO_CFG_TARGET_ARCH")?);
    std::fs::write(out.join("agent_source.rs"), list_source()?)?;
    std::fs::write(out.join("agent_workspace.toml"), workspace()?)?;
    build(&target, &out.join("agent"))?;
    let built = out.join("agent").join(&target).join("agent/kharness-agent");
    std::fs::copy(&built, out.join("kharness-agent"))
        .map_err(|error| format!("{}: {error}", built.display()))?;
    Ok(())
}

/// An expression that is a slice of the source's files: path and text.
fn list_source() -> Result<String, Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let mut files = vec![PathBuf::from("../Cargo.lock")];
    for source in SOURCES {
        collect(&root, Path::new(source), &mut files)?;
    }
    files.sort();
    let entry = |file: &PathBuf| {
        let name = Path::new("guest-image").join(file);
        let name = name.to_string_lossy().replace("guest-image/../", "");
        format!("({name:?}, include_str!({:?})),\n", root.join(file))
    };
    Ok(format!("&[\n{}]", files.iter().map(entry).collect::<String>()))
}

fn collect(root: &Path, path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    if !root.join(path).is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(root.join(path))? {
        collect(root, &path.join(entry?.file_name()), files)?;
    }
    Ok(())
}

/// The manifest of the workspace, reduced to the agent: what stands before the root package, with
/// other members.
fn workspace() -> Result<String, Box<dyn Error>> {
    let manifest = std::fs::read_to_string("../Cargo.toml")?;
    let shared = manifest.split("[package]\n").next().unwrap_or_default();
    let members = "members = [\"guest-image/agent\", \"guest-image/protocol\"]";
    let lines = shared.lines().map(|line| match line.starts_with("members = ") {
        true => members,
        false => line,
    });
    // Profiles of other crates mean nothing here.
    let lines = lines.take_while(|line| !line.starts_with("[profile.dev"));
    let agent = shared.split_once("[profile.agent]").map_or("", |(_, profile)| profile);
    let lines: Vec<&str> = lines.collect();
    let release = "[profile.release]\noverflow-checks = true\n";
    Ok(format!("{}\n{release}\n[profile.agent]{agent}", lines.join("\n")))
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
